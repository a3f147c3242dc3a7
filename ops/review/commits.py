"""The files of a commit, or of the checkout as it is."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ops.errors import OpsError, UsageError

CHECKOUT = "checkout"
"""Stands for the files as they are, committed or not."""
# What a comparison reads; the rest of a commit may be large.
_READ = ("rules", "dashboards", "ops")


@contextmanager
def files(root: Path, ref: str) -> Generator[Path]:
    """The folder with the files of `ref`, a commit, branch or tag; `root` itself for CHECKOUT.

    Raises UsageError when there is no such commit.
    """
    if ref == CHECKOUT:
        yield root
        return
    commit = identity(root, ref)
    there = _git(root, "ls-tree", "--name-only", commit).decode().splitlines()
    wanted = [name for name in there if name in _READ or (name.startswith("Pulumi.") and name.endswith(".yaml"))]
    with tempfile.TemporaryDirectory(prefix="preview-summary-") as folder:
        if wanted:
            with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", commit, "--", *wanted))) as archive:
                archive.extractall(folder, filter="data")
        yield Path(folder)


def identity(root: Path, ref: str) -> str:
    """The commit's full hash; CHECKOUT for itself. Raises UsageError when there is no such commit."""
    if ref == CHECKOUT:
        return CHECKOUT
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
    except OpsError as error:
        raise UsageError(
            f"no commit {ref!r} here; allowed: a commit, branch or tag that was fetched, or {CHECKOUT}"
        ) from error


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise OpsError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise OpsError(f"git {arguments[0]} failed in {root}: {said or f'exit code {error.returncode}'}") from error
