"""Alerts of every system fire through the real pipeline, reach each of their channels, and resolve."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.paths import ROOT
from ops.content import ALWAYS_FIRES, content
from ops.environment import LOCAL, load
from ops.fault_times import ERROR_LOG_ANOMALOUS, RISES
from ops.faults import REAL
from ops.plan import from_files
from rules.routing import Email, PagerDuty, Slack, Webhook

pytestmark = pytest.mark.e2e
# `make fire-alerts` drills these, too: caused in the cluster itself, one after the other; slow to begin, or to end
# while another waits for it; true by themselves on a machine that is as busy as these tests make it.
LEFT_OUT = {*REAL, *RISES, ERROR_LOG_ANOMALOUS, "NodeCPUHigh", "ApiLatencyHigh"}
FILES = content(load(LOCAL))
PLANS = {
    plan.alert: plan
    for plan in from_files(FILES, load(LOCAL), list(FILES.rules))
    if plan.alert not in LEFT_OUT and FILES.enabled(plan.alert)
}


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """The two reports of one drill: JSON, and the page."""
    folder = tmp_path_factory.mktemp("fire-alerts")
    report, page = folder / "report.json", folder / "report.html"
    alerts = [argument for name in PLANS for argument in ("--alert", name)]
    options = ["--json", str(report), "--html", str(page), "--longest-window", "5m"]
    done = subprocess.run(
        [sys.executable, "-m", "ops", "fire-alerts", *options, *alerts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(report.read_text()), page.read_text()


def test_the_drill_is_about_every_system_and_every_kind_of_channel() -> None:
    assert {plan.system for plan in PLANS.values()} == {FILES.system(name) for name in FILES.rules}
    channels = {channel for plan in PLANS.values() for channel in plan.channels}
    assert channels == set(FILES.routing.channels)
    assert {type(FILES.routing.channels[one].kind) for one in channels} == {Slack, Webhook, Email, PagerDuty}


def test_every_alert_is_delivered_and_resolved(drill: tuple[dict[str, Any], str]) -> None:
    """How fast each one was is measured, not tested: see `make fire-alerts` and `make bench`."""
    report, _ = drill
    assert {alert["alert"] for alert in report["alerts"]} == set(PLANS)
    assert report["left_out"] == {}
    assert [alert["verdict"] for alert in report["alerts"] if not alert["ok"]] == []
    for alert in report["alerts"]:
        channels = set(PLANS[alert["alert"]].channels)
        assert set(alert["delivered"]) == set(alert["channels"]) == channels, alert["alert"]
        told_of_the_end = {channel for channel in channels if FILES.resolves(channel)}
        if alert["alert"] != ALWAYS_FIRES and not alert["not_awaited"]:
            assert set(alert["resolved"]) == told_of_the_end, alert["alert"]


def test_the_page_shows_every_alert_and_that_all_is_well(drill: tuple[dict[str, Any], str]) -> None:
    report, page = drill
    assert f"{len(PLANS)} of {len(PLANS)} alerts delivered" in report["summary"]
    assert page.startswith("<!doctype html>")
    assert [name for name in PLANS if name not in page] == []
    assert "FAILED" not in page


@pytest.mark.usefixtures("drill")
def test_the_report_is_kept_where_people_look() -> None:
    for name in ("report.json", "report.html"):
        assert Path(ROOT, ".state/fire-alerts", name).is_file()
