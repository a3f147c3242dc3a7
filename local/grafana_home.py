"""GRAFANA_HOME: an unpacked Grafana distribution, from which the embedded cluster's image is made.

Grafana is in no package registry, and its image is in a container registry that not everybody reaches.
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
# Of a release's tar file; conf holds the defaults of every setting, public the web pages.
_NEEDED = ("conf/defaults.ini", "public")


def home() -> Path | None:
    """The distribution's folder; None without GRAFANA_HOME. Raises LocalError when it names something else."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    folder = Path(text).expanduser().resolve()
    missing = [name for name in _NEEDED if not (folder / name).exists()]
    if not _programs(folder):
        missing.insert(0, "bin/grafana")
    if missing:
        raise LocalError(
            f"{VARIABLE}={text} is no unpacked Grafana distribution: it has no {', '.join(missing)}; "
            "allowed: the folder that a release's tar.gz contains, such as grafana-13.1.3"
        )
    return folder


def version(folder: Path) -> str:
    """The distribution's version as its VERSION file says; empty when it has none."""
    file = folder / "VERSION"
    return file.read_text().strip().removeprefix("v") if file.is_file() else ""


def available() -> bool:
    """Whether the embedded cluster can run Grafana: GRAFANA_HOME, or an image that was made from it before."""
    imported = STATE / "images.json"
    return home() is not None or (imported.exists() and versions.GRAFANA_IMAGE in json.loads(imported.read_text()))


def files() -> dict[str, Path]:
    """What goes into the image: the distribution, and what its programs and their https connections need."""
    folder = home()
    if folder is None:
        raise LocalError(f"{VARIABLE} is not set")
    return {"/": debian.root("grafana", ("ca-certificates", "tzdata")), _INSIDE: folder}


def entrypoint(folder: Path) -> tuple[str, ...]:
    """How a container of the image starts; releases before 9.4 have a program of its own for the server."""
    program = _programs(folder)[0]
    server = () if program == "grafana-server" else ("server",)
    return (f"{_INSIDE}/bin/{program}", *server, f"--homepath={_INSIDE}", "--config=/etc/grafana/grafana.ini")


def _programs(folder: Path) -> list[str]:
    return [name for name in ("grafana", "grafana-server") if (folder / "bin" / name).is_file()]
