"""Pods of the pipeline are killed around firing alerts; nothing may be lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import ROOT

# One group with test_logs: of two files that kill pods, one waits for the other.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("kills"), pytest.mark.usefixtures("killer")]


def test_a_killed_pod_loses_no_notification(tmp_path: Path) -> None:
    """Two kills here; `make kill-drill` does 20."""
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "ops", "kill-drill", "--kills", "2", "--json", str(report)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["lost"] == 0
    assert len(found["kills"]) == 2
