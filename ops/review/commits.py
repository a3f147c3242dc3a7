"""Provides the files of a commit, or of the current checkout."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ops.errors import OpsError, UsageError

CHECKOUT = "checkout"
"""Name for the current files, committed or not."""
# Folders that a comparison reads; the rest of a commit may be large.
_READ = ("rules", "dashboards", "ops")


@contextmanager
def files(root: Path, ref: str) -> Generator[Path]:
    """The folder with the files of `ref`, a commit, branch or tag; `root` itself for CHECKOUT.

    Raises UsageError if there is no such commit.
    """
    if ref == CHECKOUT:
        yield root
        return
    commit = identity(root, ref)
    entries = _git(root, "ls-tree", "--name-only", commit).decode().splitlines()
    wanted = [name for name in entries if name in _READ or (name.startswith("Pulumi.") and name.endswith(".yaml"))]
    with tempfile.TemporaryDirectory(prefix="commit-") as folder:
        if wanted:
            with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", commit, "--", *wanted))) as archive:
                archive.extractall(folder, filter="data")
        yield Path(folder)


def identity(root: Path, ref: str) -> str:
    """The commit's full hash, or CHECKOUT for CHECKOUT. Raises UsageError if there is no such commit."""
    if ref == CHECKOUT:
        return CHECKOUT
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
    except OpsError as error:
        raise UsageError(f"no commit {ref!r} here; allowed: a fetched commit, branch or tag, or {CHECKOUT}") from error


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise OpsError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode(errors="replace").strip() or f"exit code {error.returncode}"
        raise OpsError(f"git {arguments[0]} failed in {root}: {message}") from error
