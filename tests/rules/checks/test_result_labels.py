"""Labels that an alert's series can have: an alert with whatever a program exposes is refused."""

from pathlib import Path

import pytest

from alerting import loader
from alerting.checks import labels_of_results, result_labels
from tests.rules import fixed_rules

RECORDED = {"a:b:c": frozenset({"app"}), "a:b:d": None}


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("up == 0", None),
        ("-up", None),
        ("rate(x[5m]) > 1", None),
        ("max_over_time(x[5m:1m])", None),
        ("topk(3, x)", None),
        ("sum without (pod) (x)", None),
        ("x or sum by (a) (x)", None),
        ("x and on () sum(x)", None),
        ("x * on (a) group_left (b) sum by (a, b) (y)", None),
        ("label_replace(x, 'a', 'b', '', '')", None),
        ("a:b:d > 1", None),
        ("sum(x)", ""),
        ("vector(1)", ""),
        ("sum by (a, b) (x) > 1", "a b"),
        ("topk(3, sum by (a) (x))", "a"),
        ("sum without (a) (sum by (a, b) (x))", "b"),
        ("sum by (a) (x) or sum by (b) (y)", "a b"),
        ("sum by (a) (x) unless on () y", "a"),
        ("x / on (a) y > 1", "a"),
        ("x / sum by (a) (y)", "a"),
        ("x > 2 * sum by (a) (y)", "a"),
        ("sum by (a) (x) * on (a) group_left (b) y", "a b"),
        ("y * on (a) group_right (b) sum by (a) (x)", "a b"),
        ("histogram_quantile(0.9, sum by (le, a) (rate(x[5m])))", "a"),
        ("label_replace(sum by (a) (x), 'b', 'c', '', '')", "a b"),
        ("count_values('v', x)", "v"),
        ("absent(x{a='1', b=~'2'})", "a"),
        ("a:b:c > 1", "app"),
        ("clamp_min(sum by (a) (x), 1) > scalar(y)", "a"),
    ],
)
def test_of_an_expression(expression: str, labels: str | None) -> None:
    assert result_labels.of(expression, RECORDED) == (None if labels is None else frozenset(labels.split()))


def test_every_alert_says_which_labels_its_series_have() -> None:
    found = labels_of_results(loader.load())
    assert found
    assert [alert for alert, labels in found.items() if labels is None] == []


def test_an_alert_with_the_labels_of_a_program_is_refused(tmp_path: Path) -> None:
    old = "max by (namespace, app, queue) (orders_queue_depth"
    text = (fixed_rules.RULES / "prometheus/orders.yaml").read_text()
    line = next(line for line in text.splitlines() if old in line)
    fixed_rules.edited(tmp_path, "prometheus/orders.yaml", line, line.replace("max by (namespace, app, queue) ", ""))
    _, problems = loader.read(tmp_path)
    assert problems == [
        "rules/prometheus/orders.yaml: alert OrdersDepthHigh: its result keeps labels that its expr does not name, so "
        "a program could add one and make more alerts of one, or none; allowed: an aggregation such as max by "
        "(namespace, app) (…)"
    ]
