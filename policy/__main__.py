"""The policy pack as the engine starts it, with this folder as its only path."""

import sys
from pathlib import Path

# This folder must not be searched: its modules would hide others of the same name.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from policy.pack import serve  # noqa: E402 (after the path)

serve()
