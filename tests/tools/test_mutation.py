"""Each mutant is one real mistake, and the report names those that no test notices."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.mutation import __main__ as command
from tools.mutation import equivalent, routes, semantics
from tools.mutation.mutants import Mutant, of_expression, of_for, of_rule

RULE = {
    "alert": "A",
    "expr": 'sum by (x) (rate(m_total{a="b", c!="d"}[5m])) > 10\n',
    "for": "5m",
    "labels": {"severity": "warning", "page": "false", "system": "s"},
}


def test_every_part_of_a_rule_is_changed_once() -> None:
    whats = [mutant.what for mutant in of_rule(RULE, {"limit": 10})]

    assert whats == [
        "limit 10 -> 11",
        "limit 10 -> 9",
        "comparison 1: > -> >=",
        "window [5m] -> [600s]",
        'matcher 1: a="b" dropped',
        'matcher 2: c!="d" dropped',
        "for 5m -> 360s",
        "for 5m -> 240s",
        "label severity: warning -> info",
        "label page: false -> true",
        "label system: s -> other",
    ]
    changed = [mutant.document for mutant in of_rule(RULE, {"limit": 10})]
    assert changed[3]["expr"] == 'sum by (x) (rate(m_total{a="b", c!="d"}[600s])) > 10\n'
    assert changed[4]["expr"] == 'sum by (x) (rate(m_total{c!="d"}[5m])) > 10\n'
    assert all(one != RULE for one in changed)


def test_text_that_only_looks_like_a_comparison_is_left_alone() -> None:
    text = 'a{b=~"x>y", c!="z"} # more > less\n unless on () up == 0'
    assert [what for what, _ in of_expression(text, {}) if "comparison" in what] == ["comparison 1: == -> !="]


def test_a_selector_never_becomes_empty() -> None:
    assert [text for what, text in of_expression('{__name__=~"a|b"} > 1', {}) if "matcher" in what] == []
    assert [text for what, text in of_expression('m{a="b"} > 1', {}) if "matcher" in what] == ["m > 1"]


@pytest.mark.parametrize(("text", "changed"), [("0s", ["60s"]), ("1m", ["90s", "30s"]), ("10m", ["660s", "540s"])])
def test_mutants_of_for_are_one_step_longer_and_shorter(text: str, changed: list[str]) -> None:
    assert [new for _, new in of_for(text)] == changed


def test_mistakes_in_routes_and_muting_are_made() -> None:
    config = routes.base()
    mutants = list(routes.mutants(config))

    assert config == routes.base(), "the original configuration must stay unchanged"
    assert {part for part, _ in mutants} == {routes.ROUTING, routes.MUTING}
    whats = {mutant.what for _, mutant in mutants}
    for what in ('matcher system="job-queue" dropped', "removed", "continue -> false", "equal: node dropped"):
        assert what in whats


def test_a_change_without_effect_on_any_alert_is_equivalent() -> None:
    config = routes.base()

    def with_routes(*branches: Any) -> semantics.Config:
        return {**config, "route": {**config["route"], "routes": list(branches)}}

    first, *rest = config["route"]["routes"]
    assert first["continue"] is False
    assert semantics.same(config, with_routes(first, first, *rest)), "no alert reaches the second route"
    assert not semantics.same(config, with_routes({**first, "continue": True}, *rest))
    assert not semantics.same(config, with_routes(*rest))
    assert semantics.same(config, {**config, "inhibit_rules": config["inhibit_rules"][::-1]})
    assert not semantics.same(config, {**config, "inhibit_rules": config["inhibit_rules"][1:]})


def outcomes(*killed: bool) -> Any:
    def run(parts: Any, tick: Any) -> None:
        for number, one in enumerate(killed):
            tick(parts[0], Mutant(about="route 1", what=f"mistake {number}", document=None), one)

    return run


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "REPORT", tmp_path / "mutants.json")
    monkeypatch.setattr(equivalent, "read", lambda: {"route 1": {"mistake 0": "it is the same"}})
    return tmp_path / "mutants.json"


def test_the_report_names_survivors_and_fails_below_the_share(
    report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(routes, "run", outcomes(False, *[True] * 19, False))
    assert command.main(["--part", "routing"]) == 0
    shown = capsys.readouterr().out
    assert "19 of 20 mutants killed (95.0%; at least 95%), equivalent by reasoning: 1" in shown
    assert "SURVIVED routing: route 1: mistake 20" in shown
    assert "mistake 0" not in shown
    assert json.loads(report.read_text())["parts"]["all"]["equivalent"] == 1
    monkeypatch.setattr(routes, "run", outcomes(False, False))
    assert command.main(["--part", "routing"]) == 1


def test_equivalents_that_are_noticed_or_do_not_exist_are_errors(
    report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(routes, "run", outcomes(True))
    assert command.main(["--part", "routing"]) == 1
    assert "route 1: mistake 0: is noticed by a test, so it is not equivalent" in capsys.readouterr().out
    monkeypatch.setattr(
        equivalent, "read", lambda: {"route 1": {"mistake 0": "gone", "mistake 9": "gone"}, "route 2": {"x": "untried"}}
    )
    monkeypatch.setattr(routes, "run", outcomes(False))
    assert command.main(["--part", "routing"]) == 1
    shown = capsys.readouterr().out
    assert "route 1: mistake 9: this mistake no longer exists" in shown
    assert "route 2" not in shown


def test_a_part_that_fails_leaves_the_results_of_the_others(
    report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(parts: Any, tick: Any) -> None:
        if parts == [routes.MUTING]:
            raise httpx.ReadTimeout("timed out")
        outcomes(False, *[True] * 20)(parts, tick)

    monkeypatch.setattr(routes, "run", run)
    assert command.main(["--part", "routing", "--part", "muting"]) == 1
    shown = capsys.readouterr().out
    assert "20 of 20 mutants killed" in shown
    assert f"{routes.MUTING}: not finished: timed out" in shown
    assert json.loads(report.read_text())["parts"]["all"]["killed"] == 20


def test_an_interrupted_run_reports_its_results(
    report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(parts: Any, tick: Any) -> None:
        outcomes(False, True)(parts, tick)
        raise KeyboardInterrupt

    monkeypatch.setattr(routes, "run", run)
    assert command.main(["--part", "routing"]) == 130
    assert "1 of 1 mutants killed" in capsys.readouterr().out
    assert json.loads(report.read_text())["interrupted"] is True


def test_the_list_of_equivalents_has_reasons(tmp_path: Path) -> None:
    equivalent.read()
    file = tmp_path / "equivalent.yaml"
    file.write_text("A: {limit: }\n")
    with pytest.raises(ValueError, match=r"equivalent.yaml: A: limit: None: must be a reason"):
        equivalent.read(file)


@pytest.mark.parametrize("arguments", [["--alert", "Nope"], ["--jobs", "0"], ["--part", "nope"], ["--nope"]])
def test_wrong_usage_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        command.main(arguments)
    assert raised.value.code == 2
    assert arguments[-1] in capsys.readouterr().err
