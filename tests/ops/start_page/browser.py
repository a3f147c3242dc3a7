"""A headless Chromium of Debian, unpacked into the cache, and steered by Playwright."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from local import debian

_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
_PROGRAM = "usr/lib/chromium/chromium-headless-shell"
_LIBRARIES = ("usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio")
_FONTS = "<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{home}/fonts</cachedir></fontconfig>"


@contextmanager
def browser(home: Path) -> Generator[Browser]:
    """A browser that writes into this folder. Raises LocalError where Debian's packages cannot be unpacked.

    Playwright would download a browser of its own; it is given this one, which needs its libraries and fonts named.
    """
    root = debian.root("browser", _PACKAGES)
    fonts = home / "fonts.conf"
    fonts.write_text(_FONTS.format(root=root, home=home))
    libraries = ":".join(str(folder) for pattern in _LIBRARIES for folder in root.glob(pattern))
    environment: dict[str, str | float | bool] = {
        "PATH": "/usr/bin:/bin",
        "LD_LIBRARY_PATH": libraries,
        "FONTCONFIG_FILE": str(fonts),
        "HOME": str(home),
    }
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=root / _PROGRAM,
            env=environment,
            # The sandbox needs user namespaces, which containers and root lack; the pages are ours.
            chromium_sandbox=False,
            args=["--disable-gpu", "--disable-dev-shm-usage"],
        ) as started,
    ):
        yield started
