"""GRAFANA_HOME: an unpacked Grafana distribution, from which the embedded cluster's image is made.

Grafana is in no package registry, and its image is in a container registry that not everybody can reach.
"""

import json
import os
from pathlib import Path

from local import debian
from local.errors import LocalError
from local.paths import STATE
from settings import versions

VARIABLE = "GRAFANA_HOME"
_INSIDE = "/usr/share/grafana"
# Files of a release: conf has the defaults of all settings, public the web pages.
_NEEDED = ("conf/defaults.ini", "public")


def home() -> Path | None:
    """The distribution's folder; None without GRAFANA_HOME. Raises LocalError if it is not a distribution."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    folder = Path(text).expanduser().resolve()
    missing = [name for name in _NEEDED if not (folder / name).exists()]
    if not _programs(folder):
        missing.insert(0, "bin/grafana")
    if missing:
        raise LocalError(
            f"{VARIABLE}={text} is not an unpacked Grafana distribution: it has no {', '.join(missing)}; "
            "allowed: the folder in a release's tar.gz, such as grafana-13.1.3"
        )
    return folder


def version(folder: Path) -> str:
    """The version in the distribution's VERSION file; empty without that file."""
    file = folder / "VERSION"
    return file.read_text().strip().removeprefix("v") if file.is_file() else ""


def available() -> bool:
    """Whether the embedded cluster can run Grafana: from GRAFANA_HOME, or from an image made earlier."""
    imported = STATE / "images.json"
    return home() is not None or (imported.exists() and versions.GRAFANA_IMAGE in json.loads(imported.read_text()))


def files() -> dict[str, Path]:
    """Maps paths in the image to the distribution and to the files that its programs and HTTPS need."""
    folder = home()
    if folder is None:
        raise LocalError(f"{VARIABLE} is not set")
    return {"/": debian.root("grafana", ("ca-certificates", "tzdata")), _INSIDE: folder}


def entrypoint(folder: Path) -> tuple[str, ...]:
    """The image's entrypoint. Releases before 9.4 have a separate program for the server."""
    program = _programs(folder)[0]
    server = () if program == "grafana-server" else ("server",)
    return (f"{_INSIDE}/bin/{program}", *server, f"--homepath={_INSIDE}", "--config=/etc/grafana/grafana.ini")


def _programs(folder: Path) -> list[str]:
    return [name for name in ("grafana", "grafana-server") if (folder / "bin" / name).is_file()]
