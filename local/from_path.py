"""Programs that the user has installed, taken if their version fits."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from settings import versions


@dataclass(frozen=True, kw_only=True)
class _Fitting:
    """Which versions of a program are used."""

    arguments: tuple[str, ...]
    """They print the version."""
    pattern: str
    """Its groups are the version's numbers."""
    lowest: tuple[int, ...]
    below: tuple[int, ...]


def _same_minor(version: str) -> _Fitting:
    major, minor, *_ = map(int, version.split("."))
    return _Fitting(
        arguments=("--version",),
        pattern=r"version (\d+)\.(\d+)\.",
        lowest=(major, minor),
        below=(major, minor + 1),
    )


# All others are used in container images, which need the static build.
_PROGRAMS = {
    # A newer CLI of the same major version runs programs of an older SDK.
    "pulumi": _Fitting(
        arguments=("version",),
        pattern=r"v(\d+)\.(\d+)\.(\d+)",
        lowest=tuple(map(int, versions.PULUMI.split("."))),
        below=(int(versions.PULUMI.split(".")[0]) + 1,),
    ),
    "kubectl": _Fitting(
        arguments=("version", "--client"),
        pattern=r"Client Version: v(\d+)\.(\d+)\.",
        lowest=versions.KUBERNETES_MIN,
        below=versions.KUBERNETES_BELOW,
    ),
    "crane": _Fitting(arguments=("version",), pattern=r"(\d+)\.(\d+)\.", lowest=(0, 20), below=(1,)),
    "promtool": _same_minor(versions.PROMETHEUS),
    "amtool": _same_minor(versions.ALERTMANAGER),
}


def find(name: str) -> Path | None:
    """The program's absolute path; None if PATH lacks it, its version does not fit, or only our own build does."""
    found = shutil.which(name)
    if not found or name not in _PROGRAMS:
        return None
    fitting = _PROGRAMS[name]
    answer = subprocess.run([found, *fitting.arguments], capture_output=True, text=True, check=False)
    match = re.search(fitting.pattern, answer.stdout + answer.stderr)
    return Path(found) if match and fitting.lowest <= tuple(map(int, match.groups())) < fitting.below else None
