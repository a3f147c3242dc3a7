"""Scenarios of restarts, gaps and missed scrapes for every counter that a rule counts, made from the rules themselves.

A new alert gets them without a file of its own. Each case says what a counter's samples are, and what is counted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerting.counting import Count, counts
from tools.rule_tests import promtool

INTERVAL = "30s"
WINDOW = "[10m]"
_GROUP = "cases"
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"')
_CANDIDATES = ("500", "413", "RESOURCE_EXHAUSTED", "error", "failure", "success", "200", "ok", "x", "y")


@dataclass(frozen=True, kw_only=True)
class Series:
    """The samples of one target's counter, in promtool's notation."""

    values: str
    up: str
    """Samples of `up`; the target's scrapes that failed are 0."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Case:
    """What happens to a counter."""

    name: str
    series: Sequence[Series]
    expected: Mapping[str, float]
    """Time of a query -> what was counted in the ten minutes before, in all series together."""
    job: str = "1x240"
    """`up` of another target of the same job: when Prometheus was looking."""


CASES = (
    Case(
        name="a counter is born at 1", series=[Series(values="_x59 1x180", up="1x240")], expected={"31m": 1, "50m": 0}
    ),
    Case(
        name="the first event after a container restart: 3, gap, 1",
        series=[Series(values="3x40 _x39 1x160", up="1x240")],
        expected={"39m30s": 0, "41m": 1, "51m": 0},
    ),
    Case(
        name="more events after a restart than before: 4, restart, 2, 4, 7",
        series=[Series(values="4x60 2 4 7x180", up="1x60 0 1x180")],
        expected={"30m": 0, "33m": 7, "45m": 0},
    ),
    Case(
        name="two restarts in one window",
        series=[Series(values="9x60 2 5 1 6 3x180", up="1x240")],
        expected={"34m": 5 + 6 + 3},
    ),
    Case(
        name="hours without scrapes: old events are not new, later ones are",
        series=[Series(values="100x20 _x179 106x10 107x40", up="1x20 0x178 1x60")],
        expected={"101m": 0, "107m": 1},
    ),
    Case(
        name="Prometheus itself was down for an hour and a half",
        series=[Series(values="100x20 _x179 106x10 107x40", up="1x20 _x179 1x60")],
        job="1x20 _x179 1x60",
        expected={"101m": 0, "107m": 1},
    ),
    Case(
        name="a Prometheus that starts empty beside running services, whose targets it scrapes one after the other",
        series=[
            Series(values="5000x120", up="1x120"),
            Series(values="_x1 900x120", up="_x1 1x120", labels={"instance": "late"}),
            Series(values="_x2 30x60 31x60", up="_x2 1x120", labels={"instance": "last"}),
        ],
        job="1x240",
        expected={"2m": 0, "5m": 0, "9m30s": 0, "33m": 1},
    ),
    Case(
        name="many short pods: each counts once and ends",
        series=[
            Series(
                values=f"_x{60 + pod} 1 1 stale",
                up=f"_x{60 + pod} 1 1 stale",
                labels={"pod": f"short-{pod}", "instance": f"short-{pod}"},
            )
            for pod in range(12)
        ],
        expected={"29m30s": 0, "36m": 12, "60m": 0},
    ),
    Case(
        name="two servers, two deployments",
        series=[
            Series(values="7x60 9x180", up="1x240", labels={"app": "one", "instance": "one"}),
            Series(values="7x60 10x180", up="1x240", labels={"app": "two", "instance": "two"}),
        ],
        expected={"31m": 5, "45m": 0},
    ),
    Case(
        name="one scrape in four is missed, and a counter is born meanwhile",
        series=[
            Series(values="10 10 10 _ 11 12 12 _ 12 12 13 _ " + "13 13 13 _ " * 20, up="1 1 1 0 " * 23),
            Series(
                values="_ " * 12 + "1 1 2 _ " + "2 2 2 _ " * 19,
                up="1 1 1 0 " * 23,
                labels={"pod": "born", "instance": "born"},
            ),
        ],
        expected={"9m": 5},
    ),
)


def counted(files: Iterable[Mapping[str, Any]]) -> list[Count]:
    """Every count of the written rules, each once, in the order of the files."""
    rules = (rule for document in files for group in document["groups"] for rule in group["rules"])
    return list(dict.fromkeys(count for rule in rules for count in counts(rule["expr"])))


def documents(found: Sequence[Count], cases: Sequence[Case] = CASES) -> tuple[dict[str, Any], dict[str, Any]]:
    """A rule file that counts all of them, and a file of scenarios for promtool."""
    # A metric of its own for each, because one count may select the series of another.
    own = [replace(count, metric=f"case_{place}_{count.metric}") for place, count in enumerate(found)]
    rules = [{"record": f"case:{place}:counted", "expr": _expression(count)} for place, count in enumerate(own)]
    file = promtool.deployed({"groups": [{"name": _GROUP, "rules": rules}]}, INTERVAL)
    tests = [_test(case, own) for case in cases]
    return file, {"rule_files": ["rules.yaml"], "evaluation_interval": INTERVAL, "tests": tests}


def _expression(count: Count) -> str:
    selector = f"{count.metric}{{{count.matchers}}}" if count.matchers else count.metric
    by = f" by ({', '.join(count.by)})" if count.by else ""
    return f"sum{by} (increase({selector}{WINDOW}))"


def _test(case: Case, found: Sequence[Count]) -> dict[str, Any]:
    targets = {one.labels.get("instance", "t"): one.up for one in case.series}
    up = [{"series": f'up{{job="pods", instance="{name}"}}', "values": text} for name, text in targets.items()]
    return {
        "name": case.name,
        "interval": INTERVAL,
        "input_series": [
            {"series": 'up{job="pods", instance="another"}', "values": case.job},
            *up,
            *({"series": _named(count, one), "values": one.values} for count in found for one in case.series),
        ],
        "promql_expr_test": [
            {
                "expr": f"sum(case:{place}:counted) or vector(0)",
                "eval_time": at,
                "exp_samples": [{"labels": "{}", "value": value}],
            }
            for place in range(len(found))
            for at, value in case.expected.items()
        ],
    }


def _named(count: Count, series: Series) -> str:
    labels = {"job": "pods", "instance": "t", "namespace": "n", "app": "a", "pod": "p"} | dict(series.labels)
    wanted = {name: _fitting(name, found) for name, found in _conditions(count.matchers).items()}
    text = ", ".join(f'{name}="{value}"' for name, value in (labels | wanted).items())
    return f"{count.metric}{{{text}}}"


def _conditions(matchers: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, operator, value in _MATCHER.findall(matchers):
        found.setdefault(name, []).append((operator, value))
    return found


def _fitting(name: str, conditions: Sequence[tuple[str, str]]) -> str:
    """A value of the label that all matchers take."""
    exact = [value for operator, value in conditions if operator == "="]
    for value in (*exact, *_CANDIDATES):
        if all(_takes(operator, wanted, value) for operator, wanted in conditions):
            return value
    raise ValueError(f"no value for {name} fits {conditions}; add one to _CANDIDATES")


def _takes(operator: str, wanted: str, value: str) -> bool:
    if operator in ("=", "!="):
        return (value == wanted) == (operator == "=")
    return (re.fullmatch(wanted, value) is not None) == (operator == "=~")
