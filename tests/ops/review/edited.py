"""A small checkout that a test edits and compares with its original."""

import shutil
import subprocess
from pathlib import Path

from ops.review import snapshot
from ops.review.snapshot import Snapshot
from tests.mock_engine import ROOT
from tests.rules.fixed_rules import FIXTURES

STACK = "staging"


def git(folder: Path, *arguments: str) -> None:
    """Run git in the folder, without the user's settings."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


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

    def commit(self) -> None:
        """Make the folder a git repository whose first commit contains it."""
        git(self.folder, "init", "-q")
        git(self.folder, "add", ".")
        git(self.folder, "commit", "-q", "-m", "first")
