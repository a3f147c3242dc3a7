"""The tests notice one mistake of each kind in each engine. `make mutants` tries all mistakes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerting import loader
from alerting.model import LogRule
from tools.mutation import logs, real, routes, scenarios
from tools.mutation.mutants import Mutant
from tools.mutation.rules import Batch, Item, Promtool, Rules, killed
from tools.mutation.semantics import Config
from tools.rule_tests import FOLDER, yaml_text

FILES = sorted(FOLDER.glob("*.test.yaml"))
ALERT = "JobQueueDepthHigh"
BASE = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules()


def batch(rules: Rules, alert: str) -> Batch:
    (found,) = [one for one in rules.batches([alert]) if one.items[0][1].about == alert]
    return found


def some(found: Batch, *numbers: int) -> Batch:
    items: tuple[Item, ...] = tuple(found.items[number] for number in numbers)
    return Batch(items=items, names=found.names)


@pytest.mark.parametrize("alert", [ALERT, "ConsumerLag", "TargetDown", "NodeDiskHigh"])
def test_mistakes_of_each_kind_are_noticed(rules: Rules, alert: str) -> None:
    found = batch(rules, alert)
    kinds: dict[str, int] = {}
    for number, (_, mutant) in enumerate(found.items):
        kinds.setdefault(mutant.what.split()[0], number)
    assert {"comparison", "for", "label"} & set(kinds)
    chosen = some(found, *kinds.values())
    dead = killed(rules, chosen, Promtool())
    assert [one.what for n, (_, one) in enumerate(chosen.items) if n not in dead] == []


def test_mistakes_in_recorded_series_are_noticed(rules: Rules) -> None:
    name = "media_upload:reconciliation_errors:increase10m"
    (found,) = [one for one in rules.batches(["MediaReconciliationErrors"]) if one.items[0][1].about == name]
    assert "MediaReconciliationErrors" in found.names
    assert 0 in killed(rules, some(found, 0), Promtool()), found.items[0][1].what


def test_unchanged_rules_survive_and_invalid_rules_do_not(rules: Rules) -> None:
    found = batch(rules, ALERT)
    (place, mutant), rule = found.items[0], dict(rules.places())[found.items[0][0]]

    def like(**changes: Any) -> Item:
        return place, Mutant(about=mutant.about, what=str(changes), document={**rule, **changes})

    items = (like(), like(expr="("), like(), like(expr="up * on () {x!=''}"), like(**{"for": "9m"}))
    assert killed(rules, Batch(items=items, names=found.names), Promtool()) == {1, 3, 4}


def test_scenarios_that_fail_without_a_mistake_are_an_error(rules: Rules) -> None:
    changed = Rules()
    place = batch(rules, ALERT).items[0][0]
    changed.files[place.file]["groups"][place.group]["rules"][place.rule]["for"] = "9m"
    with pytest.raises(RuntimeError, match=f"scenarios of {ALERT} fail without any mistake"):
        killed(changed, batch(changed, ALERT), Promtool())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_scenarios_stay_as_they_are_written(file: Path) -> None:
    written = scenarios.read(file).text()
    # This loader reads every value as text.
    texts = [yaml.load(text, Loader=BASE) for text in (written, file.read_text())]  # noqa: S506
    assert texts[0] == texts[1]
    assert yaml_text.load(written) == yaml_text.load(file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_values_that_yaml_reads_as_hexadecimal_numbers_are_quoted(file: Path) -> None:
    found = list(scenarios.numbers(scenarios.read(file)))
    assert found == [], f"{file.name}: quote these values"


def test_queries_of_a_scenario_read_the_clone() -> None:
    def cloned(text: str) -> str | None:
        test = {"name": "n", "promql_expr_test": [{"expr": text, "exp_samples": []}]}
        file = scenarios.TestFile(name="f", document={"tests": [test]})
        (one,) = file.cloned({"__m1": {"A", "a:b"}}).document["tests"]
        return one["promql_expr_test"][0]["expr"] if one["promql_expr_test"] else None

    assert cloned('count(ALERTS{alertname="A"})') == 'count(ALERTS{alertname="A__m1"})'
    assert cloned("count(last_over_time(ALERTS[20m]))") == 'count(last_over_time(ALERTS{alertname=~".+__m1"}[20m]))'
    assert cloned('ALERTS{alertstate="x"}') == 'ALERTS{alertname=~".+__m1", alertstate="x"}'
    assert cloned("a:b + a:bc") == "a:b__m1 + a:bc"
    assert cloned("up") is None


def test_a_real_alertmanager_and_the_copy_notice_mistakes_in_routes(tmp_path: Path) -> None:
    config = routes.base()
    mutants: dict[tuple[str, str], Mutant] = {}
    for part, mutant in routes.mutants(config):
        if not mutant.about.startswith("mute window"):  # each of their instants needs its own calendar
            mutants.setdefault((part, mutant.what.split()[0]), mutant)
    configs = [config, *(mutant.document for mutant in mutants.values())]
    cases = [case for case in routes.cases() if case.kind != "window"]
    answers = real.ask(configs, cases, tmp_path)
    assert answers == [routes.decided(one, cases) for one in configs]
    expected = [case.expected for case in cases]
    assert answers[0] == expected
    unnoticed = [one.what for one, row in zip(mutants.values(), answers[1:], strict=True) if row == expected]
    assert unnoticed == []


@pytest.mark.nightly  # every case of every mistake
def test_the_copy_notices_mistakes_in_mute_windows() -> None:
    cases = [case for case in routes.cases() if case.kind == "window"]
    config = routes.base()
    mutants = [mutant for _, mutant in routes.mutants(config) if mutant.about.startswith("mute window")]

    def fails(one: Config) -> bool:
        return routes.decided(one, cases) != [case.expected for case in cases]

    assert mutants
    assert not fails(config)
    assert [mutant.what for mutant in mutants if not fails(mutant.document)] == []


def test_log_alerts_notice_mistakes() -> None:
    alert = next(name for name, rule in loader.load().rules().items() if isinstance(rule, LogRule))
    found: dict[str, bool] = {}
    logs.run([alert], lambda mutant, killed: found.update({mutant.what: killed}), kinds=("for", "label"))
    assert found
    assert all(found.values()), found
