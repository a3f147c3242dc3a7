"""The coverage gate: tests must prove every alert, route and inhibition, and a removed test must be noticed."""

import copy
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from alerting import loader, routing
from tests.rules import fixed_rules
from tools.coverage import evidence, ledger
from tools.coverage.__main__ import main
from tools.coverage.evidence import EXEMPT, WANTED, ProofKind, Scenario, Sources

ALERTS = sorted(loader.load().rules())


@functools.cache
def sources() -> Sources:
    return evidence.collect()


@functools.cache
def proofs() -> evidence.Proofs:
    return evidence.proofs(sources())


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("kind", list(ProofKind), ids=lambda kind: kind.value.replace(" ", "-"))
def test_every_alert_is_proved(alert: str, kind: ProofKind) -> None:
    if kind in EXEMPT.get(alert, ()):
        pytest.skip("this alert always fires")
    assert proofs()[alert][kind], f"{alert}: {kind}: needs {WANTED[kind]}"


def test_every_route_channel_inhibition_and_mute_window_has_its_cases() -> None:
    alerts = tuple(f"{alert}: " for alert in ALERTS)
    assert [gap for gap in evidence.gaps(sources()) if not gap.startswith(alerts)] == []


def test_the_ledger_has_the_current_counts() -> None:
    assert list(ledger.differences(ledger.read(), counts())) == []


@functools.cache
def counts() -> ledger.Counts:
    return evidence.counts(sources())


@functools.cache
def gaps() -> frozenset[str]:
    return frozenset(evidence.gaps(sources()))


def without_check(scenario: Scenario, number: int) -> Scenario:
    data = copy.deepcopy(dict(scenario.data))
    del data["alert_rule_test"][number]
    return replace(scenario, data=data)


def every_check() -> Iterator[tuple[int, int]]:
    for index, scenario in enumerate(sources().scenarios):
        for number, _ in enumerate(scenario.data.get("alert_rule_test") or []):
            yield index, number


def test_removing_any_check_changes_the_counts() -> None:
    unnoticed: list[str] = []
    for index, number in every_check():
        scenario = sources().scenarios[index]
        changed = replace(sources(), scenarios=[without_check(scenario, number)])
        alone = replace(sources(), scenarios=[scenario])
        if evidence.counts(changed) == evidence.counts(alone):
            unnoticed.append(scenario.where)
    assert unnoticed == []
    assert counts(), "this test needs at least one check"


def test_removing_any_scenario_changes_the_counts() -> None:
    for index, scenario in enumerate(sources().scenarios):
        if scenario.data.get("alert_rule_test"):
            rest = [*sources().scenarios[:index], *sources().scenarios[index + 1 :]]
            changed = evidence.counts(replace(sources(), scenarios=rest))
            assert list(ledger.differences(counts(), changed)), scenario.where


@pytest.mark.parametrize("field", ["routes", "muting", "faults"])
def test_removing_any_case_changes_the_counts(field: str) -> None:
    items: list[Any] = list(getattr(sources(), field))
    for index, item in enumerate(items):
        changed: Sources = replace(sources(), **{field: [*items[:index], *items[index + 1 :]]})  # type: ignore[arg-type]
        assert list(ledger.differences(counts(), evidence.counts(changed))), item


@pytest.mark.parametrize("alert", ALERTS)
def test_removing_a_runbook_or_a_fault_names_the_alert(alert: str) -> None:
    for kind, field in ((ProofKind.RUNBOOK, "runbooks"), (ProofKind.FAULT, "faults")):
        if kind in EXEMPT.get(alert, ()):
            continue
        rest = [one for one in getattr(sources(), field) if one != alert]
        changed: Sources = replace(sources(), **{field: rest})  # type: ignore[arg-type]
        assert f"{alert}: {kind}: no {WANTED[kind].removeprefix('a ')}" in {*evidence.gaps(changed)} - gaps()


@functools.cache
def untested() -> Sources:
    """The fixed rules and routes, without any test."""
    rule_set = fixed_rules.load()
    return Sources(
        rules=rule_set.rules(),
        recordings=rule_set.recordings(),
        routing=routing.load(fixed_rules.RULES),
        scenarios=[],
        routes=[],
        muting=[],
        faults=[],
        runbooks=[],
    )


def tiny(*checks: tuple[str, bool], name: str = "one") -> Scenario:
    labels = dict.fromkeys(evidence.LABELS, "x")
    tests = [
        {"eval_time": at, "alertname": "OrdersDepthHigh", "exp_alerts": [{"exp_labels": labels}] if fires else []}
        for at, fires in checks
    ]
    return Scenario(
        where=name, data={"input_series": [{"series": 'orders_queue_depth{a="b"}'}], "alert_rule_test": tests}
    )


def kinds(*scenarios: Scenario) -> set[ProofKind]:
    found = evidence.proofs(replace(untested(), scenarios=scenarios))["OrdersDepthHigh"]
    return {
        kind
        for kind, where in found.items()
        if where and kind not in (ProofKind.ROUTE, ProofKind.FAULT, ProofKind.RUNBOOK)
    }


def test_what_counts_as_a_proof() -> None:
    """OrdersDepthHigh has `for: 2m`."""
    fires = {ProofKind.FIRES, ProofKind.LABELS}
    assert kinds(tiny(("5m", True))) == fires
    assert kinds(tiny(("3m", False), ("5m", True))) == fires | {ProofKind.BEFORE}
    assert kinds(tiny(("2m59s", False), ("5m", True))) == fires, "too early to prove `for`"
    assert kinds(tiny(("5m", True), ("9m", False))) == fires | {ProofKind.RESOLVES}
    assert kinds(tiny(("5m", False))) == {ProofKind.NEAR_MISS}
    assert kinds(tiny(("4m", False), ("5m", True), ("6m", False)), tiny(("5m", False))) == {
        *fires,
        ProofKind.BEFORE,
        ProofKind.RESOLVES,
        ProofKind.NEAR_MISS,
    }


def test_a_scenario_without_the_alerts_metrics_is_not_a_near_miss() -> None:
    other = {"input_series": [{"series": "up"}], "alert_rule_test": tiny(("5m", False)).data["alert_rule_test"]}
    assert kinds(Scenario(where="other", data=other)) == set()


def test_expected_labels_without_one_label_do_not_prove_labels() -> None:
    scenario = tiny(("5m", True))
    del scenario.data["alert_rule_test"][0]["exp_alerts"][0]["exp_labels"]["page"]
    assert kinds(scenario) == {ProofKind.FIRES}


def test_metrics_behind_recording_rules_count() -> None:
    alert = "UploadAvailabilityBudgetBurnFast"
    checks = [{"eval_time": "5m", "alertname": alert, "exp_alerts": []}]
    scenario = Scenario(where="raw", data={"input_series": [{"series": "uploads_total{}"}], "alert_rule_test": checks})
    assert evidence.proofs(replace(untested(), scenarios=[scenario]))[alert][ProofKind.NEAR_MISS] == ["raw"]


def test_routes_channels_and_mutes_without_a_case_are_named() -> None:
    bare = evidence.gaps(untested())
    for text in (
        "channel uploads-email: no case",
        "default channel: no case",
        "route {'system': 'orders'}: no case",
        "also {'severity': 'critical'}: no case",
        "inhibition worse-severity: no case in tests/rules/muting.yaml with muted: true",
        "mute_window nights: no case in tests/rules/muting.yaml with muted: false",
        "OrdersDepthHigh: route: no case",
    ):
        assert any(text in gap for gap in bare), text


def test_the_ledger_names_the_missing_check_and_the_command() -> None:
    (line,) = ledger.differences({"A": {"firing": 2}}, {"A": {"firing": 1}})
    assert line == (
        "A: 1 firing, not 2 as in tools/coverage/ledger.yaml; if this is intended, run: make coverage ARGS=--write"
    )
    assert list(ledger.differences({"A": {"firing": 2}}, {"A": {"firing": 2}})) == []


def test_the_command_refuses_unknown_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nope"]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_command_shows_the_table_and_fails_with_gaps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evidence, "collect", lambda: replace(sources(), runbooks=[]))
    assert main([]) == 1
    shown = capsys.readouterr().out
    assert "MISSING JobQueueDepthHigh: runbook: no page rules/runbooks/<alert>.md" in shown
    assert "near miss" in shown
