"""Tries mistakes in log rules against their scenarios in a real Loki."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError

from alerting import loader
from alerting.model import LogRule
from tools.mutation.mutants import Mutant, of_rule
from tools.rule_tests import FOLDER, loki_scenarios
from tools.rule_tests.loki_server import loki


def run(alerts: Sequence[str], tick: Callable[[Mutant, bool], None], *, kinds: tuple[str, ...] = ("",)) -> None:
    """Try every mistake whose text begins with one of `kinds`, and call `tick` with whether it was noticed."""
    rule_set = loader.load()
    rules = {name: rule for name, rule in rule_set.rules().items() if isinstance(rule, LogRule)}
    files = sorted((FOLDER / "loki").glob("*.test.yaml"))
    read = list(enumerate(one for file in files for one in loki_scenarios.read(file)))
    with TemporaryDirectory() as folder, loki(Path(folder)) as server:
        start = loki_scenarios.begin()
        for number, scenario in read:
            loki_scenarios.push(server, f"scenario-{number}", scenario, start)

        def fails(name: str, changed: LogRule) -> bool:
            mine = [(number, one) for number, one in read if name in {check.alertname for check in one.alert_rule_test}]
            try:
                return any(
                    loki_scenarios.problems(server, f"scenario-{number}", one, {**rules, name: changed}, start)
                    for number, one in mine
                )
            except HTTPError:
                return True  # Loki rejects the expression

        for name in alerts:
            if fails(name, rules[name]):
                raise RuntimeError(f"scenarios of {name} fail without any mistake in the rule")
            for mutant in of_rule(_document(rules[name]), rule_set.thresholds.get(name, {})):
                if not mutant.what.startswith(kinds):
                    continue
                tick(mutant, fails(name, _rule(rules[name], mutant.document)))


def _document(rule: LogRule) -> dict[str, Any]:
    return rule.model_dump(by_alias=True, exclude_none=True)


def _rule(rule: LogRule, document: dict[str, Any]) -> LogRule:
    labels = rule.labels.model_copy(update=document["labels"])
    return rule.model_copy(update={"expr": document["expr"], "for_": document["for"], "labels": labels})
