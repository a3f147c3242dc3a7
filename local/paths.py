"""Where this checkout keeps its state, and where all checkouts share what was built."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

STATE = ROOT / ".state"
"""All that this checkout makes: cluster, engine state, kubeconfig. `make down` removes it."""

OTHER_STACKS = STATE / "stacks"
"""Engine state of stacks that do not run on the embedded cluster; survives it."""

KUBECONFIG = STATE / "kubeconfig"
UV = str(Path(sys.executable).with_name("uv"))
"""The package installer of this environment."""
TOOLS = ROOT / "local" / "tools"


def cache() -> Path:
    """The user's cache folder for tools and packages, made when missing; shared by checkouts, keyed by version."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "observability-platform"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
