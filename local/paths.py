"""Folders of this checkout's state, and of the cache that all checkouts share."""

import os
import sys
from pathlib import Path

from alerting.files import ROOT

STATE = ROOT / ".state"
"""Everything that this checkout creates: cluster, engine state, kubeconfig. `make down` removes it."""

OTHER_STACKS = STATE / "stacks"
"""Engine state of stacks that do not run on the embedded cluster; `make down` keeps it."""

KUBECONFIG = STATE / "kubeconfig"
UV = str(Path(sys.executable).with_name("uv"))
"""The package installer of this virtual environment."""
TOOLS = ROOT / "local" / "tools"


def private(folder: Path) -> None:
    """Creates a folder if it is missing, and lets only this user enter it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def cache() -> Path:
    """The user's cache folder for tools and packages, created if missing; shared by checkouts, keyed by version."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "observability-platform"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
