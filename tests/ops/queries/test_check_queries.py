"""check-queries with a real Prometheus that scrapes the simulator, and the arguments that the command refuses."""

import json
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops.environment import load
from ops.errors import OpsError, UsageError
from ops.queries import check_queries, dashboard_queries, rule_queries
from ops.queries.check_queries import chosen_dashboards, run, stack_rules, summary
from ops.queries.query_check import Outcome, Verdict
from ops.queries.quiet_selectors import Selector
from ops.queries.rule_queries import RuleQuery
from tests.ops.pipeline import Pipeline
from tests.ops.stand_in import dashboard, panel


def test_the_job_queue_dashboard_has_data_from_the_simulator(running: Pipeline, tmp_path: Path) -> None:
    """Checks every panel of the committed file in a Prometheus that scrapes a real simulator every second."""
    urls = {"prometheus": running.urls["prometheus-0"]}
    chosen = chosen_dashboards(["job-queue-overview"])
    file = tmp_path / "result.json"
    deadline = time.monotonic() + 60
    while True:
        text = Console(file=StringIO(), width=200, record=True)
        code = run(text, urls, chosen, [], json_file=file)
        if code == 0 or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert code == 0, text.export_text()
    written = json.loads(file.read_text())
    assert len({(one["kind"], one["where"]) for one in written}) == len(chosen[0].queries) + 2  # and the variables
    assert {one["where"] for one in written if one["verdict"] == "not yet"} <= {"Alert states A"}
    assert {one["verdict"] for one in written} <= {"data", "not yet"}
    assert 'queue=~".*"' in json.dumps(written).replace('\\"', '"')


def test_rules_of_the_job_queue_read_existing_series(running: Pipeline) -> None:
    rules = [
        # This pipeline has no kube-state-metrics.
        replace(one, selectors=tuple(part for part in one.selectors if not part.metric.startswith("kube_")))
        for one in stack_rules(load("local"))
        if one.alert.startswith("JobQueue")
    ]
    wrong = RuleQuery(
        alert="Wrong",
        engine="prometheus",
        expression='jq_queue_dept > 1 or jq_queue_depth{que="a"} > 1 or jq_queue_depth{queue="a"} > 1',
        selectors=tuple(
            rule_queries.promql_selectors('jq_queue_dept or jq_queue_depth{que="a"} or jq_queue_depth{queue="a"}')
        ),
    )
    text = Console(file=StringIO(), width=200, record=True)
    code = run(text, {"prometheus": running.urls["prometheus-0"]}, [], [*rules, wrong])
    shown = text.export_text()
    assert code == 1
    assert "jq_queue_dept " in shown  # no target exposes this name
    assert 'jq_queue_depth{que="a"}' in shown  # the metric lacks this label
    assert 'jq_queue_depth{queue="a"}' in shown  # the label lacks this value, and no file declares it as quiet
    assert "rule JobQueue" not in shown


def test_the_error_of_prometheus_for_a_wrong_query_is_shown(running: Pipeline) -> None:
    text = Console(file=StringIO(), width=200, record=True)
    wrong = dashboard(panel("Broken", "sum(rate(up[5m])", 'up{job="[x]"}'))
    code = run(text, {"prometheus": running.urls["prometheus-0"]}, [wrong], [])
    shown = text.export_text()
    assert code == 1
    assert "Broken A" in shown
    assert "parse error" in shown
    assert 'up{job="[x]"}' in shown  # brackets are printed as text, not as markup
    assert "0 of 2 queries are as they should be." in shown


def test_an_unknown_dashboard_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no dashboard nope; there are: api-observability, job-queue-overview"):
        chosen_dashboards(["nope"])


def test_a_file_that_is_no_dashboard_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"title": "no uid"}')
    with pytest.raises(OpsError, match=r"dashboards/rendered/x\.json: uid: missing; allowed: "):
        dashboard_queries.load(tmp_path)


def test_selectors_of_promql() -> None:
    found = rule_queries.promql_selectors(
        'rate(a{b="c", d=~"e.*", f!="g", h=~".*"}[5m] offset 1h) / on () {__name__=~"i|j"} unless k'
    )
    assert [one.text for one in found] == ['a{b="c", d=~"e.*", f!="g", h=~".*"}', '{__name__=~"i|j"}', "k"]
    assert [one.bare for one in found] == ["a", '{__name__=~"i|j"}', "k"]
    assert [one.loosened(['b="c"', 'f!="g"'])[:40] for one in found] == [
        'a{b!="", d=~"e.*", f!="", h=~".*"}',
        '{__name__=~"i|j"}',
        "k",
    ]
    assert [one.metric for one in found] == ["a", "i|j", "k"]


def test_selectors_of_logql() -> None:
    text = 'sum(rate({a="}", b=~`x{2}`} |~ `{no="t"}` [1m])) # {not="this"}\n / sum(rate({c="d"} | json [1m]))'
    assert [one.text for one in rule_queries.logql_selectors(text)] == ['{a="}", b=~`x{2}`}', '{c="d"}']


@pytest.mark.parametrize(
    ("pipeline", "labels"),
    [
        ('| l="x"', ["l"]),
        ('|= "a" != "b" | l="x" != "y" | m>5', ["l", "m"]),
        ('| l=~"x" |~ "| n=1"\n|\nm != "y" |= `| o=1`', ["l", "m"]),
        ('| l="x" | json | status >= 500', ["l"]),
        ('| logfmt --strict a, b="c" | l="x" | unwrap duration(d) | __error__=""', []),
        ('| drop x | line_format "{{ .l }}" |= "l" | __error__=""', []),
    ],
)
def test_labels_that_a_pipeline_needs(pipeline: str, labels: list[str]) -> None:
    """Those that a stream must have; after a parser, a label may come from the line."""
    found = rule_queries.logql_selectors(f'sum(rate({{a="b"}} {pipeline} [1m])) > 1')
    assert [one.text for one in found] == ['{a="b"}', *(f'{{a="b"}} | {label}!=""' for label in labels)]


@pytest.mark.parametrize(
    ("pipeline", "picks"),
    [
        ('|= "x"', True),
        ("|~ `x`", True),
        ('| level="ERROR"', True),
        ("| json | status >= 500", True),
        ('|= "" |~ ``', False),
        ("| json | line_format `| x=1`", False),
        ('!= "x"', False),
        ("", False),
    ],
)
def test_queries_whose_empty_answer_may_be_good_news(pipeline: str, picks: bool) -> None:
    assert rule_queries.picks_lines(f'{{a="b|="}} {pipeline}') is picks


def test_every_rule_of_the_stack_is_read() -> None:
    rules = {one.alert: one for one in stack_rules(load("local"))}
    assert "Watchdog" in rules
    assert rules["JobQueueNoWorkers"].selectors[0] == Selector(text="jq_workers_active", metric="jq_workers_active")


def test_the_summary_counts_per_owner() -> None:
    one = Outcome(kind="panel", owner="a", where="P A", expression="x", verdict=Verdict.DATA, detail="")
    two = Outcome(kind="rule", owner="loki", where="R", expression="x", verdict=Verdict.MISSING, detail="")
    assert summary([one, one, two]) == ["a: 2 data", "loki: 1 no series", "2 of 3 queries are as they should be."]


def test_the_command_checks_only_the_given_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(check_queries, "run", lambda console, urls, boards, rules, **_: seen.update(locals()) or 0)
    monkeypatch.setattr(check_queries, "service_url", lambda *_, **__: pytest.fail("a forward was started"))
    with pytest.raises(check_queries.typer.Exit) as ended:
        check_queries.check_queries(dashboard=["job-queue-overview"], prometheus_url="http://prometheus")
    assert ended.value.exit_code == 0
    assert seen["urls"] == {"prometheus": "http://prometheus"}
    assert [one.uid for one in seen["boards"]] == ["job-queue-overview"]
    assert seen["rules"] == []
