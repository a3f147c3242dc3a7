"""A small checkout that a test edits and compares with its original."""

import shutil
from pathlib import Path

from ops.review import snapshot
from ops.review.snapshot import Snapshot
from tests.mock_engine import ROOT
from tests.rules.fixed_rules import FIXTURES

STACK = "staging"


class Copy:
    """The fixed rules, dashboards and stack files in a folder of their own, with the project's settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(FIXTURES, folder, dirs_exist_ok=True)
        shutil.copy(ROOT / "Pulumi.yaml", folder)

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace the first occurrence of `old`, which must exist."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    def set(self, stack: str, line: str) -> None:
        """Add or replace a setting in a stack's file. `line` is YAML, without the key's prefix."""
        path = self.folder / f"Pulumi.{stack}.yaml"
        key = f"  observability:{line.partition(':')[0]}:"
        lines = [one for one in path.read_text().splitlines() if not one.startswith(key)]
        path.write_text("\n".join([*lines, f"  observability:{line}", ""]))

    def read(self, stack: str = STACK) -> Snapshot:
        """The snapshot of this copy: what it would deploy."""
        return snapshot.read(self.folder, stack, name="copy")
