"""Reads and writes promtool's scenario files without changing values; only whole scenarios and checks change.

YAML reads `values: 0x40` as the number 64, promtool as 0 followed by forty more zeros. So values are not parsed here.
"""

import re
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from alerting.durations import seconds

if TYPE_CHECKING:
    from yaml import SafeDumper as _Dumper
    from yaml import SafeLoader as _Loader
else:
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# A plain scalar that YAML reads as a hexadecimal number.
_HEX = re.compile(r"0x[0-9a-fA-F_]+")
_ALERTS = re.compile(r"\bALERTS\b(?!_)(\{[^{}]*\})?")


class Scalar(str):
    """The original text of a value, with the type that YAML would give it, and its quotes."""

    __slots__ = ("style", "tag")
    tag: str
    style: str | None

    def __new__(cls, text: str, tag: str, style: str | None) -> "Scalar":
        """`text` is the text between the quotes."""
        made = super().__new__(cls, text)
        made.tag, made.style = tag, style
        return made


class _Read(_Loader):
    """Loads mappings, lists and Scalars."""

    def scalar(self, node: yaml.ScalarNode) -> Scalar:
        return Scalar(node.value, node.tag, node.style)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Hashable:
        return self.scalar(node) if isinstance(node, yaml.ScalarNode) else super().construct_object(node, deep=deep)


class _Write(_Dumper):
    """Dumps mappings, lists and Scalars, without aliases, because promtool rejects files with many aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- the name in PyYAML
        return True


def _represent(dumper: yaml.SafeDumper, one: Scalar) -> yaml.ScalarNode:
    return dumper.represent_scalar(one.tag, str(one), style=one.style)


_Write.add_representer(Scalar, _represent)


@dataclass(frozen=True, kw_only=True)
class TestFile:
    """One file of scenarios."""

    __test__ = False
    name: str
    document: Mapping[str, Any]

    def about(self, names: Collection[str]) -> "TestFile | None":
        """The file with only the scenarios of these alerts and recorded series; None if there are none."""
        tests = [test for test in self.document["tests"] if _is_about(test, names)]
        return TestFile(name=self.name, document={**self.document, "tests": tests}) if tests else None

    def cloned(self, clones: Mapping[str, Collection[str]]) -> "TestFile":
        """The file with each check and query repeated, under the clone's names, for every clone that it is about.

        `clones` maps suffixes to the names of alerts and recorded series that get the suffix in the clone. Other checks
        and queries are left out.
        """
        tests = [
            {
                **{key: value for key, value in test.items() if key not in ("alert_rule_test", "promql_expr_test")},
                "alert_rule_test": [
                    {**check, "alertname": check["alertname"] + suffix}
                    for check in test.get("alert_rule_test") or []
                    for suffix, names in clones.items()
                    if check["alertname"] in names
                ],
                "promql_expr_test": [
                    found
                    for query in test.get("promql_expr_test") or []
                    for suffix, names in clones.items()
                    if (found := _query(query, names, suffix))
                ],
            }
            for test in self.document["tests"]
        ]
        return TestFile(name=self.name, document={**self.document, "tests": tests})

    @property
    def interval(self) -> str:
        """Interval between two evaluations of the rules."""
        return str(self.document["evaluation_interval"])

    def scenarios(self) -> "Iterator[TestFile]":
        """One file for each scenario."""
        for number, test in enumerate(self.document["tests"]):
            yield TestFile(name=f"{number}-{self.name}", document={**self.document, "tests": [test]})

    def length(self) -> float:
        """Seconds of simulated time, summed over the scenarios."""
        return sum(
            max(
                seconds(str(check["eval_time"]))
                for key in ("alert_rule_test", "promql_expr_test")
                for check in test.get(key) or []
            )
            for test in self.document["tests"]
        )

    def text(self) -> str:
        """The file as YAML."""
        return yaml.dump(self.document, Dumper=_Write, sort_keys=False, width=1 << 20)


def read(file: Path) -> TestFile:
    """The scenarios of a file."""
    return TestFile(name=file.name, document=yaml.load(file.read_text(), Loader=_Read))  # noqa: S506 -- a safe loader


def numbers(file: TestFile) -> Iterator[str]:
    """Values of series that YAML would read as hexadecimal numbers."""
    for test in file.document["tests"]:
        for series in test.get("input_series") or []:
            value = series["values"]
            if value.style is None and _HEX.fullmatch(value):
                yield f"{series['series']}: {value}"


def renamed(text: str, names: Collection[str], suffix: str) -> str:
    """An expression, or labels, with the suffix appended to these names."""
    return _pattern(frozenset(names)).sub(lambda match: match[0] + suffix, text)


def _pattern(names: frozenset[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w:])(?:{'|'.join(re.escape(name) for name in sorted(names))})(?![\w:])")


def _query(query: Mapping[str, Any], names: Collection[str], suffix: str) -> dict[str, Any] | None:
    """The query of a clone; None if the query is not about it."""

    def alerts(match: re.Match[str]) -> str:
        if "alertname" in (match[1] or ""):
            return match[0]
        others = (match[1] or "{}")[1:-1].strip()
        return f'ALERTS{{alertname=~".+{suffix}"{", " + others if others else ""}}}'

    expression = _ALERTS.sub(alerts, renamed(query["expr"], names, suffix))
    if suffix not in expression:
        return None
    samples = [{**one, "labels": renamed(one["labels"], names, suffix)} for one in query.get("exp_samples") or []]
    return {**query, "expr": expression, "exp_samples": samples}


def _is_about(test: Mapping[str, Any], names: Collection[str]) -> bool:
    checks = {check["alertname"] for check in test.get("alert_rule_test") or []}
    queries = [query["expr"] for query in test.get("promql_expr_test") or []]
    return not checks.isdisjoint(names) or any(_pattern(frozenset(names)).search(query) for query in queries)
