"""Nothing runs on after a run of the real engine that a signal ended: a cancelled job, or a machine without memory."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.workspace import ANALYZERS
from tests.mock_engine import ROOT
from tools.programs import eventually

PREVIEW = """
import pathlib, sys
from engine import actions
from engine.workspace import Workspace
root = pathlib.Path(sys.argv[1])
actions.preview(Workspace(stack="dev", root=root, state=root / ".state"))
"""
PACK = """
import os, pathlib, time
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep(600)
"""
"""It never gets ready, so the engine waits for it."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_policy_pack_ends_with_its_engine(tmp_path: Path, number: int) -> None:
    """The engine starts it in a process group of its own, which the signal does not reach."""
    (tmp_path / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (tmp_path / "__main__.py").write_text("")
    pack = tmp_path / "policy"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text(PACK)
    command = [sys.executable, "-c", PREVIEW, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL) as run:
        try:
            note = pack / "pid"
            eventually(lambda: note.exists() and note.read_text(), what="the pack does not start", seconds=60)
            pid = int(note.read_text())
        finally:
            os.killpg(run.pid, number)
    try:
        eventually(lambda: not _runs(pid), what="the pack runs on", seconds=30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Whether the process runs: one that has ended has no command line, also while nobody has asked how it ended."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_pack_is_run_as_python_runs_a_folder(tmp_path: Path) -> None:
    """Its folder is searched first, and the analyzer's is not."""
    (tmp_path / "__main__.py").write_text("import sys; print(__name__, sys.argv[1:], sys.path)")
    analyzer = str(ANALYZERS / "pulumi-analyzer-policy-python")
    shown = [
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        for command in ([analyzer, "127.0.0.1:1", "."], [sys.executable, "."])
    ]
    assert shown[0] == shown[1]
