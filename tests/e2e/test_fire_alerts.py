"""Every alert fires through the real pipeline, reaches each of its channels, and resolves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import ROOT
from rules.loader import load

pytestmark = pytest.mark.e2e


# The platform's own are drilled one after the other: `make fire-alerts ARGS="--system platform"`.
CHANNELS = {name: {"job-queue-slack", "job-queue-webhook"} for name in load().rules() if name.startswith("JobQueue")}
CHANNELS["SpecCursorErrorLogBurst"] = {"speccursor-slack"}


def test_every_alert_is_delivered_and_resolved(tmp_path: Path) -> None:
    """How fast each one was is measured, not tested: see `make fire-alerts` and `make bench`."""
    report = tmp_path / "report.json"
    alerts = [argument for name in CHANNELS for argument in ("--alert", name)]
    done = subprocess.run(
        [sys.executable, "-m", "ops", "fire-alerts", "--json", str(report), *alerts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    delivered = json.loads(report.read_text())["alerts"]
    assert {alert["alert"] for alert in delivered} == set(CHANNELS)
    for alert in delivered:
        assert set(alert["delivered"]) == set(alert["resolved"]) == CHANNELS[alert["alert"]]
