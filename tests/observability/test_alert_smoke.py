"""A spike of 5xx: `ApiErrorRateHigh` fires, and those who must know are told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import KUBECONFIG, ROOT

pytestmark = pytest.mark.e2e


def test_a_spike_of_errors_reaches_the_people(tmp_path: Path) -> None:
    """By the drill itself, which causes the errors, waits for Prometheus, and asks the receivers."""
    if not KUBECONFIG.exists():
        pytest.fail("no stack runs here: make up")
    report = tmp_path / "report.json"
    options = ["--alert", "ApiErrorRateHigh", "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "ops", "fire-alerts", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (alert,) = json.loads(report.read_text())["alerts"]
    assert (alert["alert"], alert["ok"]) == ("ApiErrorRateHigh", True)
    assert set(alert["delivered"]) == set(alert["channels"])
