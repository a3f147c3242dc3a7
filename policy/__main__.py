"""Entry point of the policy pack. The engine starts it with this folder as its only import path."""

import sys
from pathlib import Path

# Replaces this folder on the import path, because its modules would hide others of the same name.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from policy.pack import serve  # noqa: E402 (after the path)

try:
    serve()
except ValueError as error:  # exceptions.yaml
    sys.exit(f"error: {error}")
