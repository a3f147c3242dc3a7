"""Synthetic alerts are posted together only if none of them mutes another."""

from ops.drills.plan import AlertPlan
from ops.drills.routing_drill import batches
from tests.ops.drills.drill_stack import plan

RULES = [
    {
        "source_matchers": ['severity="critical"'],
        "target_matchers": ['severity=~"warning|info"', 'alertname!="Watchdog"'],
        "equal": ["cluster", "system", "subject"],
    },
    {"source_matchers": ['alertname="TargetDown"'], "target_matchers": ['page!="true"'], "equal": ["namespace", "app"]},
]


def one(alert: str, severity: str, subject: str, **more: str) -> AlertPlan:
    return plan(alert, labels={"alertname": alert, "severity": severity, "subject": subject, **more})


def names(groups: list[list[AlertPlan]]) -> list[list[str]]:
    return [[one.alert for one in group] for group in groups]


def test_severities_of_one_subject_are_posted_apart() -> None:
    plans = [one("High", "warning", "depth"), one("Critical", "critical", "depth"), one("Other", "critical", "errors")]
    assert names(batches(plans, RULES)) == [["High", "Other"], ["Critical"]]


def test_an_alert_that_mutes_all_others_is_posted_alone() -> None:
    plans = [one("A", "warning", "a"), one("TargetDown", "warning", "target"), one("B", "info", "b")]
    assert names(batches(plans, RULES)) == [["A", "B"], ["TargetDown"]]


def test_without_inhibitions_all_alerts_are_posted_together() -> None:
    plans = [one("High", "warning", "depth"), one("Critical", "critical", "depth")]
    assert names(batches(plans, [])) == [["High", "Critical"]]
