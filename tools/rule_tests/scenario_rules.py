"""Runs scenario files in promtool, each scenario only with the rules that it checks and the rules that these read.

promtool evaluates every rule of a file at every step of every scenario, but most scenarios check one alert of many.
`python -m tools.rule_tests` runs the files with all of their rules.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from alerting import missing_metrics
from alerting.model import RecordingRule
from tools.mutation import scenarios
from tools.rule_tests import promtool, yaml_text

Rule = Mapping[str, Any]
_NAMED_ALERT = re.compile(r'ALERTS\{[^{}]*alertname="(\w+)"')
# Parts of a query that select series without a single name.
_ANY = re.compile(r'__name__|ALERTS(?!\{[^{}]*alertname=")')


@dataclass(frozen=True)
class Placed:
    """A rule and its position in a rendered file."""

    file: str
    group: int
    rule: Rule

    @property
    def name(self) -> str:
        """Name of the alert or the recorded series."""
        return self.rule.get("alert") or self.rule["record"]


def run(file: Path, rules: Mapping[str, str], folder: Path, *, about: str = "") -> CompletedProcess[str]:
    """Run promtool on a scenario file with these written rules (file name -> YAML); writes its files to `folder`.

    With `about`, only the scenarios that check this alert.
    """
    read = scenarios.read(file)
    chosen = read.about([about]) if about else read
    assert chosen, f"{file.name} has no scenario about {about}"
    parsed = {name: yaml_text.load(rules[name]) for name in _rule_files(chosen)}
    tests: list[Path] = []
    for number, scenario in enumerate(chosen.scenarios()):
        used = list(needed(scenario, parsed))
        for name in _rule_files(scenario):
            document = promtool.deployed(only(name, parsed[name], used), scenario.interval)
            (folder / f"{number}-{name}").write_text(yaml_text.dump(document))
        document = {**scenario.document, "rule_files": [f"{number}-{name}" for name in _rule_files(scenario)]}
        tests.append(folder / scenario.name)
        tests[-1].write_text(scenarios.TestFile(name=scenario.name, document=document).text())
    return promtool.promtool("test", "rules", *tests)


def needed(scenario: scenarios.TestFile, rules: Mapping[str, Any]) -> Iterator[Placed]:
    """The rules that a scenario checks, and the recording rules that these and its queries read."""
    every = [one for name in _rule_files(scenario) for one in placed(name, rules[name])]
    (test,) = scenario.document["tests"]
    queries = [str(query["expr"]) for query in test.get("promql_expr_test") or []]
    if any(_ANY.search(query) for query in queries):
        yield from every
        return
    alerts = {str(check["alertname"]) for check in test.get("alert_rule_test") or []}
    alerts |= {name for query in queries for name in _NAMED_ALERT.findall(query)}
    found = [one for one in every if one.rule.get("alert") in alerts]
    yield from found
    yield from recorded_for([*queries, *(one.rule["expr"] for one in found)], every)


def recorded_for(expressions: list[str], rules: Iterable[Placed]) -> Iterator[Placed]:
    """The recording rules whose series these expressions read, directly or through others."""
    recordings = [one for one in rules if "record" in one.rule]
    made = [_recording(one.rule) for one in recordings]
    read: set[int] = set()
    left = list(expressions)
    while left:
        new = set(missing_metrics.read_from(left.pop(), made)) - read
        read |= new
        left += (made[place].expr for place in new)
    return (recordings[place] for place in sorted(read))


def only(file: str, document: Mapping[str, Any], used: Collection[Placed]) -> dict[str, Any]:
    """A parsed rule file with only the used rules; groups may become empty."""
    groups = [
        {**group, "rules": [one.rule for one in placed(file, document) if one.group == number and one in used]}
        for number, group in enumerate(document["groups"])
    ]
    return {**document, "groups": groups}


def _rule_files(scenario: scenarios.TestFile) -> list[str]:
    return [str(name) for name in scenario.document["rule_files"]]


def placed(file: str, document: Mapping[str, Any]) -> Iterator[Placed]:
    """Every rule of a parsed file."""
    return (Placed(file, number, rule) for number, group in enumerate(document["groups"]) for rule in group["rules"])


def _recording(rule: Rule) -> RecordingRule:
    return RecordingRule(record=rule["record"], expr=rule["expr"], labels=rule.get("labels"))
