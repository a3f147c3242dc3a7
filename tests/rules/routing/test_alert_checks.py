# ruff: noqa: E501  (a case of a table stays on its line)
"""Routes that no alert has, or that no alert reaches: nobody would be woken, and Alertmanager takes them all."""

import shutil
from pathlib import Path

import pytest

from alerting import loader, routing
from alerting.checks import labels_of_results
from alerting.files import RULES

PAGED = '      - {match: {page: "true"}, channels: [job-queue-pagerduty]}'


def problems(folder: Path, old: str, new: str) -> list[str]:
    """What is said about the deployed routes after one change."""
    shutil.copytree(RULES / "systems", folder / "systems")
    for name in ("routing.yaml", routing.TEMPLATES):
        shutil.copy(RULES / name, folder)
    text = (folder / "routing.yaml").read_text()
    assert old in text
    (folder / "routing.yaml").write_text(text.replace(old, new, 1))
    rule_set = loader.load()
    labels = {alert: rule.labels.model_dump() for alert, rule in rule_set.rules().items()}
    contract = {
        "queue",
        "topic",
        "operation",
        "ecosystem",
        "model",
        "source",
        "backend",
        "stream",
        "consumer",
        "reason",
    }
    return list(routing.problems_with(routing.load(folder), labels, labels_of_results(rule_set), contract))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (PAGED, PAGED.replace('"true"', '"yes"'), "routes[1].also[0].match.page: no alert has the value 'yes'; known: false, true"),
        ("{system: job-queue}", "{sytem: job-queue}", "routes[1].match.sytem: no alert has this label; did you mean system?"),
        ("{system: job-queue}", "{system: job-qeue}", "routes[1].match.system: no alert has the value 'job-qeue'; did you mean job-queue?"),
        ("{severity: critical}, channels: [speccursor-email]", "{severity: crit}, channels: [speccursor-email]", "routes[2].also[0].match.severity: no alert has the value 'crit'; did you mean critical?"),
        ("[webhook-signatures, suspicious-api", "[webhook-signature, suspicious-api", "routes[2].also[2].match.subject: no alert has the value 'webhook-signature'; did you mean webhook-signatures?"),
        ("{system: job-queue}", "{severity: [info, warning, critical]}", "routes[2]: never reached: rules/routing.yaml: routes[1] takes all of its alerts"),
        (PAGED, PAGED.replace('page: "true"', "system: speccursor"), "routes[1].also[0].match: matches no alert: {system: speccursor}"),
        ("group_by: [cluster, alertname,", "group_by: [cluster, alertnam,", "group_by: no alert has the label 'alertnam'; did you mean alertname?"),
        ("group_by: [cluster,", "group_by: [cluster, cluster,", "group_by: 'cluster' appears twice; allowed: once"),
        ("equal: [cluster, system, subject, namespace", "equal: [cluster, system, subject, namspace", "inhibitions.worse-severity.equal: no alert has the label 'namspace'; did you mean namespace?"),
        ("scope: app, job", "scpe: app, job", "inhibitions.target-down.source: no alert has the label 'scpe'; did you mean scope?"),
    ],
)  # fmt: skip
def test_a_matcher_that_no_alert_has(tmp_path: Path, old: str, new: str, problem: str) -> None:
    found = problems(tmp_path, old, new)
    assert [line for line in found if line == f"rules/routing.yaml: {problem}"], found


def test_the_deployed_routes_are_all_reached(tmp_path: Path) -> None:
    assert problems(tmp_path, "routes:", "routes:") == []
