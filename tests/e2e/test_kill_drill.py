"""No notification is lost when pods of the pipeline are killed while alerts fire."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import ROOT

# The same group as test_logs, because two files that kill pods must not run at the same time.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("kills"), pytest.mark.usefixtures("killer")]


def test_a_killed_pod_loses_no_notification(tmp_path: Path) -> None:
    """Kills a pod of each app on the way of a metric; the way of a log line takes 6 minutes more: `make kill-drill`."""
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
    assert [kill["pod"] for kill in found["kills"]] == ["alertmanager-0", "prometheus-0"]
