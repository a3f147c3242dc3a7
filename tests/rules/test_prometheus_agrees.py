"""What the program says about PromQL by itself, without promtool: nothing that promtool accepts is refused wrongly."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from alerting import expressions
from engine.rule_checks import prometheus
from local.toolchain import tool
from settings.deployed import Deployed

GOOD_EXPRESSIONS = ["up == 0", "vector(1)", "sum(rate(a[5m])) > 1", "-up", "(up) * 2", "max_over_time(up[5m:1m])"]
EXPERIMENTAL = [
    "limitk(1, up)",
    "sum(limit_ratio(0.5, up))",
    'sort_by_label(up, "a")',
    'sort_by_label_desc(up, "a")',
    "info(up)",
    "double_exponential_smoothing(up[5m], 0.1, 0.1)",
    'histogram_quantiles(up, "q", 0.1, 0.9)',
    *(f"{name}_over_time(up[5m]) > 1" for name in ("mad", "first")),
    *(f"ts_of_{name}_over_time(up[5m]) > 1" for name in ("first", "last", "max", "min")),
    *(f"up > {call}" for call in ("max_of(1, 2)", "min_of(1, 2)", "start()", "end()", "range()", "step()")),
]  # fmt: skip
ALTERNATIVES = [
    'x{a="b" or c="d"} > 1',
    '{a="b" or c="d"}',
    'sum(rate(x{a="b" or c="d"}[5m]))',
    'max_over_time(x{a="b" or c="d"}[5m:1m]) > 1',
    'y and on () x{a="b" or c="d"}',
]
NO_VECTOR = {
    "up[5m]": "a range vector",
    "(up[5m])": "a range vector",
    "up[5m:1m]": "a range vector",
    '"up"': "a string",
    "1": "a scalar",
    "-time()": "a scalar",
    "scalar(up) > bool 1": "a scalar",
}


def refused(folder: Path, listed: Sequence[str]) -> list[str]:
    """Those of the expressions that promtool refuses."""
    rules = [{"alert": f"A{number}", "expr": expression} for number, expression in enumerate(listed)]
    text = yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]})
    one = Deployed(prometheus={"a.yaml": text}, loki={}, alertmanager="", templates="")
    found = prometheus.problems(tool("promtool"), [one], folder)
    return [problem.partition("\n")[2].strip() for problem in found]


def test_expressions_that_prometheus_takes(tmp_path: Path) -> None:
    assert [expressions.problem(one) for one in GOOD_EXPRESSIONS] == [None] * len(GOOD_EXPRESSIONS)
    assert refused(tmp_path, GOOD_EXPRESSIONS) == []


def test_experimental_functions_are_refused_as_by_prometheus(tmp_path: Path) -> None:
    for expression in EXPERIMENTAL:
        assert "promql-experimental-functions" in (expressions.problem(expression) or ""), expression
    assert refused(tmp_path, EXPERIMENTAL) == EXPERIMENTAL


def test_alternatives_of_matchers_are_refused_as_by_prometheus(tmp_path: Path) -> None:
    assert refused(tmp_path, ALTERNATIVES) == ALTERNATIVES
    for expression in ALTERNATIVES:
        assert "`or` between matchers" in (expressions.problem(expression) or ""), expression


def test_fill_modifiers_have_a_flag_of_their_own(tmp_path: Path) -> None:
    expression = "up + on(app) fill(0) up"
    assert "promql-binop-fill-modifiers" in (expressions.problem(expression) or "")
    assert refused(tmp_path, [expression]) == [expression]


@pytest.mark.parametrize(("expression", "kind"), NO_VECTOR.items())
def test_an_alert_needs_an_instant_vector(expression: str, kind: str) -> None:
    """promtool takes these; Prometheus fails at each evaluation (a scalar alone it would alert on always)."""
    assert expressions.problem(expression) == f"must be an instant vector, not {kind}"
