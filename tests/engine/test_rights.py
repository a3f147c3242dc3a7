"""Files that the user may not read or write, by the real command: one line, and nothing before it has an effect."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.onboarding import checkout

# Root reads and writes everything without them.
_PRIVILEGES = "-dac_override,-dac_read_search"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root can give up no privileges here")
    folder = tmp_path_factory.mktemp("checkout")
    checkout.copy(folder)
    return folder


def preview(folder: Path) -> tuple[int, list[str]]:
    """Exit code and lines of an offline preview that has no more rights than a user."""
    less = ["setpriv", f"--bounding-set={_PRIVILEGES}", f"--inh-caps={_PRIVILEGES}"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*less, sys.executable, "-m", "engine", "preview", "--stack=staging", "--offline"],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_a_checkout_that_is_read_only(copied: Path) -> None:
    copied.chmod(0o555)
    try:
        assert preview(copied) == (1, [f"error: {copied}/.state: Permission denied"])
    finally:
        copied.chmod(0o755)
    assert not (copied / ".state").exists()


@pytest.mark.parametrize("name", ["Pulumi.yaml", "Pulumi.staging.yaml"])
def test_a_stack_file_that_is_not_readable(copied: Path, name: str) -> None:
    (copied / name).chmod(0)
    try:
        assert preview(copied) == (1, [f"error: {name}: cannot be read: Permission denied"])
    finally:
        (copied / name).chmod(0o644)


def test_a_rule_file_that_is_not_readable(copied: Path) -> None:
    """The program reports it, together with the problems of all other files."""
    rules = copied / "rules/prometheus/job-queue.yaml"
    rules.chmod(0)
    try:
        code, lines = preview(copied)
    finally:
        rules.chmod(0o644)
    assert code == 1
    assert lines[-3:] == [
        "error: preview of stack staging failed.",
        "1 problem in the settings; nothing was changed.",
        "  rules/prometheus/job-queue.yaml: cannot be read: Permission denied",
    ]
    assert not [line for line in lines if "Traceback" in line]
