"""How rules count: restarts, gaps and missed scrapes for every counter of every rule, and what is refused."""

from pathlib import Path
from typing import Any

import promql_parser
import pytest

from alerting import counting, loader
from alerting.counting import Count
from tools.rule_tests import counting_cases, promtool, yaml_text

DOCUMENTS = [yaml_text.load(text) for text in promtool.rendered().values()]
COUNTED = counting_cases.counted(DOCUMENTS)


def run(folder: Path, rules: dict[str, Any], tests: dict[str, Any]) -> str:
    """promtool's complaints; empty if all scenarios pass."""
    (folder / "rules.yaml").write_text(yaml_text.dump(rules))
    (folder / "test.yaml").write_text(yaml_text.dump(tests))
    done = promtool.promtool("test", "rules", folder / "test.yaml")
    return "" if done.returncode == 0 else done.stdout[-6000:] + done.stderr[-3000:]


def test_every_counter_that_a_rule_counts_survives_every_case(tmp_path: Path) -> None:
    assert {"request_count", "media_uploads_total", "gateway_request_duration_seconds_bucket"} <= {
        one.metric for one in COUNTED
    }
    said = run(tmp_path, *counting_cases.documents(COUNTED))
    assert not said, said


@pytest.mark.parametrize(
    ("old", "new", "noticed"),
    [
        (">= 0\n", "> -1e9\n", "more events after a restart"),
        ("\n    unless on (job, instance) max_over_time(up[5m] offset 30s) == 0", "", "hours without scrapes"),
        ("\n    and on (job) last_over_time(up[5m] offset 210s)", "", "starts empty"),
        ("last_over_time(up[5m] offset 210s)", "last_over_time(up[5m] offset 30s)", "starts empty"),
        (" offset 30s) >= 0\n  or\n", " offset 30s) >= 0\n  or 0 *\n", "born at 1"),
        ("[5m] offset 30s) >= 0", "[30s] offset 30s) >= 0", "one scrape in four"),
    ],
)
def test_a_count_that_is_wrong_fails_its_case(tmp_path: Path, old: str, new: str, noticed: str) -> None:
    cases = [case for case in counting_cases.CASES if noticed in case.name]
    rules, tests = counting_cases.documents([Count(metric="errors_total", matchers="", by=("namespace",))], cases)
    assert not run(tmp_path, rules, tests)
    recorded = rules["groups"][0]["rules"][0]
    assert old in recorded["expr"]
    recorded["expr"] = recorded["expr"].replace(old, new)
    assert "got:" in run(tmp_path, rules, tests)


def test_a_count_and_its_parts_are_not_mixed_up() -> None:
    text = 'sum by (a) (increase(x{b="c"}[5m])) / sum by (a) (increase(x[5m]))'
    rules = counting.deployed([{"name": "g", "rules": [{"alert": "A", "expr": text}]}], "30s")[0]["rules"]
    assert [(one["record"], one["labels"]) for one in rules[:2]] == [
        ("a:x:new", {"group": "g", "counter": "x", "of": 'b="c"'}),
        ("a:x:new", {"group": "g", "counter": "x"}),
    ]
    assert rules[2]["expr"] == (
        'sum by (a) (sum_over_time(a:x:new{group="g", of="b=\\"c\\""}[5m]))'
        ' / sum by (a) (sum_over_time(a:x:new{group="g", of=""}[5m]))'
    )


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("increase(x[5m]) > 0", "increase() must be summed at once"),
        ("sum without (a) (increase(x[5m]))", "increase() must be summed at once"),
        ("min by (a) (increase(x[5m]))", "increase() must be summed at once"),
        ("sum(increase(x[5m]) * 2)", "increase() must be summed at once"),
        ('sum(increase({__name__=~"x"}[5m]))', "increase() counts a selector that begins with a metric's name"),
        ("sum(increase(x[5m:1m]))", "increase() counts a selector that begins with a metric's name"),
        ("sum(rate(x_total[5m]))", "rate() of x_total misses what new series have counted"),
        ("max(irate(x_total[5m]))", "irate() of x_total misses what new series have counted"),
        ('sum(increase(x[5m]) or label_replace(increase(y[5m] offset 5m), "a", "b", "", ""))', None),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", None),
        ("sum(rate(node_cpu_seconds_total[5m]))", None),
    ],
)
def test_what_can_be_counted(expression: str, problem: str | None) -> None:
    found = counting.problem(expression)
    assert (found or "").startswith(problem or "")
    assert bool(found) == bool(problem)


# Gone is what these ask for, and the other branch of each covers a missed scrape.
BARE = {"jq_workers_active", "cluster_jobs_total", "cluster_last_noise_count", "up", "ALERTS"}


def _bare(node: object) -> list[str]:
    """Names of the selectors in an expression that read only the newest sample."""
    found: list[str] = []

    def visit(one: object) -> bool:
        if isinstance(one, promql_parser.VectorSelector):
            found.append(str(one.name))
        return not isinstance(one, promql_parser.MatrixSelector)

    promql_parser.walk(node, visit)  # type: ignore[arg-type]
    return found


def test_rules_read_gauges_over_a_missed_scrape() -> None:
    """A gauge of which one scrape fails has no sample then, and an alert on it would begin its `for` again."""
    rule_set = loader.load()
    read = {
        name: [one for one in _bare(promql_parser.parse(rule.expr)) if ":" not in one and one not in BARE]
        for name, rule in rule_set.rules().items()
        if rule.engine == "prometheus" and name != "AlertsOnMissingMetrics"
    }
    assert {name: metrics for name, metrics in read.items() if metrics} == {}
