# ruff: noqa: E501  (a case of a table stays on its line)
"""What a system's file may say, and the disruption budgets that a stack makes of it."""

import shutil
from pathlib import Path

import pytest

from rules import disruption_budgets, loader, systems
from rules.disruption_budgets import DisruptionBudget
from rules.problems import RulesError
from rules.systems import System
from tests.mock_engine import ROOT

JOB_QUEUE = "rules/systems/job-queue.yaml"
BUDGETS = {
    "jq-worker": ("job-queue", "job-queue"),
    "rust-worker": ("speccursor", "speccursor"),
    "variant-generator": ("media", "media-upload"),
    "sploot-cluster": ("media", "media-clustering"),
}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("title: Job Queue\n", "", "title: required, but missing"),
        ("title: Job Queue", "titel: Job Queue", "titel: unknown field; got 'Job Queue'"),
        ("title: Job Queue", "title: SpecCursor", None),
        ("telemetry: jq_workers_active", "telemetry: jq_workers_active)", "telemetry: is no valid PromQL: "),
        ("thresholds:\n", "thresholds:\n  TargetDown: {seconds: 1}\n", "thresholds.TargetDown: an alert of the system platform; allowed: in rules/systems/platform.yaml"),
        ("thresholds:\n", "thresholds:\n  JobQueueDepthLow: {jobs: 1}\n", "thresholds.JobQueueDepthLow: no such alert; did you mean JobQueueDepthHigh?"),
        ("thresholds:\n", "thresholds:\n  JobQueueDepthHigh: {jobs: 1000}\n", "no valid YAML: key 'JobQueueDepthHigh' stands twice"),
        ("minAvailable: 1", "minAvailable: 0", "disruptionBudgets.jq-worker.minAvailable: must be greater than or equal to 1; got 0"),
        ("minAvailable: 1", "minAvailable: 50%", "disruptionBudgets.jq-worker.minAvailable: must be a valid integer; got '50%'"),
        ("absent:\n", "absent:\n  jq_quiet_total: ''\n", "absent.jq_quiet_total: "),
        ("absent:\n", "exporters: {jq_: {}}\nabsent:\n", "exporters.jq_: "),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, old: str, new: str, problem: str | None) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "systems/job-queue.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(RulesError) as error:
        loader.load(tmp_path)
    wanted = (
        f"{JOB_QUEUE}: {problem}"
        if problem
        else f"rules/systems/speccursor.yaml: title: 'SpecCursor' is taken by {JOB_QUEUE}; allowed: once"
    )
    assert [line for line in error.value.problems if line.startswith(wanted)], error.value


@pytest.mark.parametrize("line", ["absent: {kube_x: why}", "exporters: {kube_: {app: x}}", "disruptionBudgets: {jq-worker: {namespace: a, app: a, minAvailable: 1}}"])  # fmt: skip
def test_two_files_cannot_claim_the_same(tmp_path: Path, line: str) -> None:
    """They are merged, and one would silently win."""
    for name in ("one", "two"):
        (tmp_path / "systems").mkdir(exist_ok=True)
        (tmp_path / f"systems/{name}.yaml").write_text(f"{{title: {name}, telemetry: up, thresholds: {{}}, {line}}}")
    found, problems = systems.load(tmp_path)
    assert list(found) == ["one", "two"]
    (problem,) = problems
    assert problem.startswith(f"rules/systems/two.yaml: {line.split(':', maxsplit=1)[0]}: ")
    assert problem.endswith(" is taken by rules/systems/one.yaml; allowed: once")


def test_every_system_has_alerts_and_every_metric_without_series_a_reason() -> None:
    rule_set = loader.load()
    assert set(rule_set.systems) == {rule.labels.system for rule in rule_set.rules().values()}
    assert {reason for system in rule_set.systems.values() for reason in system.absent.values()} >= {
        "appears with the first loss"
    }


def test_a_new_system_needs_files_only(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    (tmp_path / "systems/till.yaml").write_text(
        "{title: Till, telemetry: till_up, thresholds: {TillEmpty: {coins: 3}}}"
    )
    rule = (ROOT / "rules/prometheus/api.yaml").read_text()
    head = "groups:\n  - name: till\n    rules:\n      - alert: TillEmpty\n        expr: till_coins < 3\n"
    labels = "        labels: {severity: info, system: till, team: till, page: 'false', subject: coins}\n"
    notes = "        annotations: {summary: a, description: '{{ $value }}', dashboard_url: /d/api-observability}\n"
    assert rule
    (tmp_path / "prometheus/till.yaml").write_text(head + labels + notes)
    (tmp_path / "runbooks/TillEmpty.md").write_text("# TillEmpty\n")
    rule_set = loader.load(tmp_path)
    assert rule_set.systems["till"].title == "Till"
    assert rule_set.thresholds["TillEmpty"] == {"coins": 3}


def listed() -> dict[str, System]:
    """The systems that BUDGETS is about."""
    owners = {system for _, system in BUDGETS.values()}
    return {name: one for name, one in loader.load().systems.items() if name in owners}


def test_budgets_come_from_the_systems() -> None:
    budgets = disruption_budgets.of(listed(), {})
    assert {name: (one.namespace, one.system) for name, one in budgets.items()} == BUDGETS
    assert budgets["jq-worker"] == DisruptionBudget(
        namespace="job-queue", system="job-queue", app="jq-worker", min_available=1
    )


def test_a_stack_changes_a_budget_or_leaves_it_out() -> None:
    budgets = disruption_budgets.of(listed(), {"jq-worker": {"minAvailable": 3}, "rust-worker": {"enabled": False}})
    assert budgets["jq-worker"].min_available == 3
    assert set(budgets) == set(BUDGETS) - {"rust-worker"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"jq-workers": {"minAvailable": 3}}, "jq-workers: no such budget; did you mean jq-worker?"),
        ({"jq-worker": {"minAvailable": 0}}, "jq-worker.minAvailable: 0: must be greater than or equal to 1"),
        ({"jq-worker": {"minAvailable": "2"}}, "jq-worker.minAvailable: '2': must be a valid integer"),
        ({"jq-worker": {"min": 2}}, "jq-worker.min: 2: unknown field; known: enabled, minAvailable"),
        ({"jq-worker": {"minAvailable": 2, "enabled": False}}, "jq-worker: {'minAvailable': 2, 'enabled': False}: has minAvailable, but enabled is false; allowed: one of the two"),
        ({"jq-worker": 2}, "jq-worker: 2: must be an object"),
    ],
)  # fmt: skip
def test_refuses_changes_of_budgets(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(RulesError) as error:
        disruption_budgets.of(loader.load().systems, changes)
    assert error.value.problems == (problem,)
