"""Unit tests of log alerts: pushes crafted lines into a real Loki and evaluates rules at chosen times, like its ruler.

A file `<system>.test.yaml` does for LogQL what promtool's test files do for PromQL:

    tests:
      - name: what the scenario shows
        interval: 1m                    # between two evaluations of a rule
        input_lines:
          - stream: {namespace: shop}   # index labels
            metadata: {level: ERROR}    # structured metadata
            line: text
            start: 1s                   # of the first line, after the scenario's start
            step: 5s                    # between two lines
            count: 60
        alert_rule_test:
          - {eval_time: 9m, alertname: Name, exp_alerts: []}
          - eval_time: 10m
            alertname: Name
            exp_alerts: [{exp_labels: {…}, exp_annotations: {…}}]   # all alerts that fire, all their labels
"""

import functools
import math
import re
import time
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from alerting.durations import PositiveDuration, seconds
from alerting.files import read_yaml
from alerting.model import LogRule, Strict
from tools.rule_tests.loki_server import LokiServer

# All scenarios are in the past, so that each is over when it is pushed.
_LONGEST = 48 * 3600


class InputLines(Strict):
    """Equal lines of one stream at regular intervals."""

    stream: dict[str, str]
    metadata: dict[str, str] = Field(default_factory=dict)
    line: str = "crafted line"
    start: PositiveDuration
    step: PositiveDuration
    count: Annotated[int, Field(ge=1)]


class FiringAlert(Strict):
    """One alert as Alertmanager receives it, including `alertname` and the rule's labels."""

    exp_labels: dict[str, str]
    exp_annotations: dict[str, str]


class Check(Strict):
    """The alerts that must fire at one time."""

    eval_time: PositiveDuration
    alertname: str
    exp_alerts: list[FiringAlert]


class Scenario(Strict):
    """Lines, and the alerts that they must cause."""

    name: str
    interval: PositiveDuration = "1m"
    input_lines: list[InputLines]
    alert_rule_test: Annotated[list[Check], Field(min_length=1)]


class ScenarioFile(Strict):
    """One test file."""

    tests: Annotated[list[Scenario], Field(min_length=1)]


def read(file: Path) -> list[Scenario]:
    """The scenarios of a test file."""
    return ScenarioFile.model_validate(read_yaml(file, file.name)).tests


def begin() -> int:
    """Unix time at which scenarios start: a full minute, long enough ago."""
    return int(time.time()) // 60 * 60 - _LONGEST


def push(server: LokiServer, tenant: str, scenario: Scenario, start: int) -> None:
    """Push the scenario's lines into Loki."""
    for lines in scenario.input_lines:
        first, step = seconds(lines.start), seconds(lines.step)
        assert first + step * lines.count < _LONGEST, "a scenario must be over within two days"
        server.push(
            tenant,
            lines.stream,
            (
                (int((start + first + step * index) * 1e9), f"{lines.line} {index}", lines.metadata)
                for index in range(lines.count)
            ),
        )


def firing(server: LokiServer, tenant: str, rule: LogRule, at: float, interval: float) -> list[FiringAlert]:
    """The alerts of one rule that fire at that Unix time, if it is evaluated every `interval` seconds.

    An alert fires if its series existed at every evaluation for at least `for`; keep_firing_for is not supported.
    """
    assert rule.keep_firing_for is None
    now = {_key(series): series for series in _query(server, tenant, rule.expr, at)}
    lasting = set(now)
    for step in range(1, math.ceil(seconds(rule.for_) / interval) + 1):
        if lasting:
            lasting &= {_key(series) for series in _query(server, tenant, rule.expr, at - step * interval)}
    return [_alert(rule, now[key]) for key in sorted(lasting)]


def problems(server: LokiServer, tenant: str, scenario: Scenario, rules: dict[str, LogRule], start: int) -> list[str]:
    """The failed checks of a scenario whose lines were pushed with the same `start`."""
    found: list[str] = []
    for check in scenario.alert_rule_test:
        at = start + seconds(check.eval_time)
        got = firing(server, tenant, rules[check.alertname], at, seconds(scenario.interval))
        if sorted(got, key=str) != sorted(check.exp_alerts, key=str):
            found.append(f"{scenario.name}: {check.alertname} at {check.eval_time}: {got}, not {check.exp_alerts}")
    return found


@functools.cache
def _query(server: LokiServer, tenant: str, expression: str, at: float) -> tuple[dict[str, Any], ...]:
    """Cached, because the lines of a scenario never change and many tests run the same query."""
    return tuple(server.query(tenant, expression, at))


def _key(series: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(series["metric"].items()))


def _alert(rule: LogRule, series: dict[str, Any]) -> FiringAlert:
    labels, value = series["metric"], float(series["value"][1])
    annotations = rule.annotations.model_dump()
    return FiringAlert(
        exp_labels={**labels, **rule.alert_labels},
        exp_annotations={name: expand(text, labels, value) for name, text in annotations.items()},
    )


def expand(template: str, labels: dict[str, str], value: float) -> str:
    """Expands the template forms that log rules use. Raises ValueError for any other."""

    def replaced(match: re.Match[str]) -> str:
        code = match[1].strip()
        if label := re.fullmatch(r"\$labels\.(\w+)", code):
            return labels.get(label[1], "")
        if code == "$value":
            return f"{value:g}"
        if code == "$value | humanize" and 1 <= abs(value) < 1000:
            return f"{value:.4g}"
        raise ValueError(f"no support for {{{{ {code} }}}} with {value} in scenarios")

    return re.sub(r"\{\{(.*?)\}\}", replaced, template)
