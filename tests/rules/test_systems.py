# ruff: noqa: E501  (a case of a table stays on its line)
"""What a system's file may say, and the disruption budgets that a stack makes of it; on the fixed rules of fixtures/."""

from pathlib import Path

import pytest

from alerting import disruption_budgets, loader, systems
from alerting.disruption_budgets import DisruptionBudget
from alerting.problems import RulesError
from tests.rules import fixed_rules

ORDERS = "rules/systems/orders.yaml"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("title: Orders\n", "", "title: required, but missing"),
        ("title: Orders", "titel: Orders", "titel: unknown field; got 'Orders'"),
        ("title: Orders", "title: Search", None),
        ("telemetry: orders_workers_active", "telemetry: orders_workers_active)", "telemetry: is not valid PromQL: "),
        ("thresholds:\n", "thresholds:\n  TargetDown: {seconds: 1}\n", "thresholds.TargetDown: the alert belongs to the system platform; allowed: in rules/systems/platform.yaml"),
        ("thresholds:\n", "thresholds:\n  OrdersDepthLow: {items: 1}\n", "thresholds.OrdersDepthLow: no such alert; did you mean OrdersDepthHigh?"),
        ("thresholds:\n", "thresholds:\n  OrdersDepthHigh: {items: 1000}\n", "not valid YAML: key 'OrdersDepthHigh' appears twice"),
        ("minAvailable: 1", "minAvailable: 0", "disruptionBudgets.orders-worker.minAvailable: must be greater than or equal to 1; got 0"),
        ("minAvailable: 1", "minAvailable: 150001", "disruptionBudgets.orders-worker.minAvailable: must be less than or equal to 150000; got 150001"),
        ("minAvailable: 1", "minAvailable: 50%", "disruptionBudgets.orders-worker.minAvailable: must be a valid integer; got '50%'"),
        ("minAvailable: 1", "minAvailable: 1, maxUnavailable: 1", "disruptionBudgets.orders-worker: must have either minAvailable or maxUnavailable"),
        (", minAvailable: 1", "", "disruptionBudgets.orders-worker: must have either minAvailable or maxUnavailable"),
        ("disruptionBudgets:\n", "disruptionBudgets:\n  second: {namespace: orders, app: orders-worker, maxUnavailable: 1}\n", "disruptionBudgets: 'app orders-worker in namespace orders' is taken by rules/systems/orders.yaml; allowed: once"),
        ("absent:\n", "absent:\n  orders_quiet_total: ''\n", "absent.orders_quiet_total: "),
        ("absent:\n", "exporters: {orders_: {}}\nabsent:\n", "exporters.orders_: "),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, old: str, new: str, problem: str | None) -> None:
    with pytest.raises(RulesError) as error:
        loader.load(fixed_rules.edited(tmp_path, "systems/orders.yaml", old, new))
    wanted = (
        f"{ORDERS}: {problem}"
        if problem
        else f"rules/systems/search.yaml: title: 'Search' is taken by {ORDERS}; allowed: once"
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
    assert problems
    for problem in problems:
        assert problem.startswith(f"rules/systems/two.yaml: {line.split(':', maxsplit=1)[0]}: ")
        assert problem.endswith(" is taken by rules/systems/one.yaml; allowed: once")


def test_every_system_has_alerts_and_every_metric_without_series_a_reason() -> None:
    rule_set = loader.load()
    assert set(rule_set.systems) == {rule.labels.system for rule in rule_set.rules().values()}
    assert {reason for system in rule_set.systems.values() for reason in system.absent.values()} >= {
        "appears with the first loss"
    }


def test_a_new_system_needs_files_only(tmp_path: Path) -> None:
    fixed_rules.copied(tmp_path)
    (tmp_path / "systems/till.yaml").write_text(
        "{title: Till, telemetry: till_up, thresholds: {TillEmpty: {coins: 3}}}"
    )
    head = "groups:\n  - name: till\n    rules:\n      - alert: TillEmpty\n        expr: max by (namespace) (till_coins) < 3\n"
    labels = "        labels: {severity: info, system: till, team: till, page: 'false', subject: coins}\n"
    notes = "        annotations: {summary: a, description: '{{ $value | humanize }}', dashboard_url: /d/till}\n"
    (tmp_path / "prometheus/till.yaml").write_text(head + labels + notes)
    (tmp_path / "runbooks/TillEmpty.md").write_text("# TillEmpty\n")
    rule_set = loader.load(tmp_path)
    assert rule_set.systems["till"].title == "Till"
    assert rule_set.thresholds["TillEmpty"] == {"coins": 3}


def test_budgets_come_from_the_systems() -> None:
    budgets = disruption_budgets.of(fixed_rules.load().systems, {})
    assert budgets == {
        "orders-worker": DisruptionBudget(namespace="orders", system="orders", app="orders-worker", min_available=1),
        "search-worker": DisruptionBudget(namespace="search", system="search", app="search-worker", min_available=1),
    }


def test_a_stack_changes_a_budget_or_leaves_it_out() -> None:
    changes = {"orders-worker": {"minAvailable": 3}, "search-worker": {"enabled": False}}
    budgets = disruption_budgets.of(fixed_rules.load().systems, changes)
    assert set(budgets) == {"orders-worker"}
    assert budgets["orders-worker"].min_available == 3
    budgets = disruption_budgets.of(fixed_rules.load().systems, {"orders-worker": {"maxUnavailable": 2}})
    assert (budgets["orders-worker"].min_available, budgets["orders-worker"].max_unavailable) == (None, 2)


def test_a_drain_ends_with_one_replica_of_everything() -> None:
    budgets = disruption_budgets.of(loader.load().systems, {})
    blocking = {name for name, budget in budgets.items() if budget.max_unavailable is None}
    # Runs at least twice: the simulator has two workers, and the team wants one of them always.
    assert blocking == {"jq-worker"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"orders-workers": {"minAvailable": 3}}, "orders-workers: no such budget; did you mean orders-worker?"),
        ({"orders-worker": {"minAvailable": 0}}, "orders-worker.minAvailable: 0: must be greater than or equal to 1"),
        ({"orders-worker": {"maxUnavailable": 2**31}}, "orders-worker.maxUnavailable: 2147483648: must be less than or equal to 150000"),
        ({"orders-worker": {"minAvailable": "2"}}, "orders-worker.minAvailable: '2': must be a valid integer"),
        ({"orders-worker": {"min": 2}}, "orders-worker.min: 2: unknown field; known: enabled, maxUnavailable, minAvailable"),
        ({"orders-worker": {"minAvailable": 2, "enabled": False}}, "orders-worker: {'minAvailable': 2, 'enabled': False}: has a number, but enabled is false; allowed: one of the two"),
        ({"orders-worker": {"minAvailable": 2, "maxUnavailable": 1}}, "orders-worker: {'minAvailable': 2, 'maxUnavailable': 1}: has minAvailable and maxUnavailable; allowed: one of the two"),
        ({"orders-worker": 2}, "orders-worker: 2: must be an object"),
    ],
)  # fmt: skip
def test_refuses_changes_of_budgets(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(RulesError) as error:
        disruption_budgets.of(fixed_rules.load().systems, changes)
    assert error.value.problems == (problem,)
