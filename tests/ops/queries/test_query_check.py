"""The queries that check-queries sends, and the verdict for each answer. A fake data source gives prepared answers."""

import json
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops.errors import OpsError
from ops.queries import rule_queries
from ops.queries.check_queries import run
from ops.queries.dashboard_queries import DashboardQueries
from ops.queries.grafana_interpolation import Window
from ops.queries.query_check import AT_ONCE, Check, Outcome, Verdict
from ops.queries.query_sources import LokiSource, PrometheusSource, QueryError, Question
from ops.queries.quiet_selectors import Quiet
from ops.queries.rule_queries import RuleQuery
from tests.ops.stand_in import StandIn, dashboard, panel, result

NOW = 1_800_000_000.0
WINDOW = Window(start=NOW - 3600, end=NOW)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with closing(StandIn()) as server:
        yield server


def outcomes(
    stand_in: StandIn,
    dashboards: list[DashboardQueries],
    rules: list[RuleQuery] | None = None,
    *,
    quiet: Quiet | None = None,
) -> list[Outcome]:
    sources, found = {"prometheus": PrometheusSource(stand_in.url), "loki": LokiSource(stand_in.url)}, list[Outcome]()
    check = Check(sources=sources, window=WINDOW, scrape_interval=15, quiet=quiet or Quiet())
    check.run(dashboards, rules or [], found.append)
    for source in sources.values():
        source.close()
    return found


def test_variables_are_replaced_in_queries_as_in_grafana(stand_in: StandIn) -> None:
    stand_in.answers = {
        "/api/v1/query_range": result("matrix", {"metric": {}, "values": [[1, "1"]]}),
        "/api/v1/label/queue/values": (200, {"data": ["a.b", "c"]}),
        "/api/v1/label/worker/values": (200, {"data": ["w"]}),
    }
    ask = {"type": "query", "datasource": {"uid": "${prometheus}"}, "includeAll": True, "multi": True}
    chosen = {"current": {"value": ["$__all"]}}
    board = dashboard(
        panel("P", 'rate(m{q=~"$queue", w=~"$worker"}[$__rate_interval])'),
        variables=[
            {"name": "worker", "query": 'label_values(m{q=~"$queue"}, worker)', **ask, "current": {"value": ["w"]}},
            {"name": "queue", "query": "label_values(m, queue)", **ask, **chosen},
        ],
    )
    found = outcomes(stand_in, [board])

    queries = dict(stand_in.queries)
    assert queries["/api/v1/query_range"]["query"] == [r'rate(m{q=~"(a\\.b|c)", w=~"w"}[60s])']
    assert queries["/api/v1/label/worker/values"]["match[]"] == [r'm{q=~"(a\\.b|c)"}']
    assert queries["/api/v1/query_range"]["step"] == ["15"]
    assert [one.verdict for one in found] == [Verdict.DATA] * 3


@pytest.mark.parametrize(
    ("answer", "verdict", "text"),
    [
        (result("matrix"), Verdict.NOTHING, "no data"),
        (result("matrix", {"metric": {}, "values": [[1, "NaN"]]}), Verdict.NOTHING, "no data"),
        (result("matrix", {"metric": {}, "values": [[1, "NaN"], [2, "0"]]}), Verdict.DATA, "1 series"),
        ((400, {"status": "error", "error": "bad thing"}), Verdict.ERROR, "bad thing"),
        ((502, "<html>no upstream</html>"), Verdict.ERROR, "502 <html>no upstream</html>"),
    ],
)
def test_verdicts(stand_in: StandIn, answer: tuple[int, Any], verdict: Verdict, text: str) -> None:
    stand_in.answers, stand_in.series = {"/api/v1/query_range": answer}, {"up": [{}]}
    (found,) = outcomes(stand_in, [dashboard(panel("P", "up"))])
    assert (found.verdict, found.detail) == (verdict, text)
    assert found.good is (verdict is Verdict.DATA)


def test_instant_queries_and_loki(stand_in: StandIn) -> None:
    stand_in.answers = {
        "/api/v1/query": result("vector", {"metric": {}, "value": [1, "1"]}),
        "/loki/api/v1/query_range": result("streams", {"stream": {}, "values": [["1", "line"]]}),
    }
    board = dashboard(panel("Now", "up", instant=True), panel("Lines", '{a="b"}', source="loki", queryType="range"))
    assert {one.verdict for one in outcomes(stand_in, [board])} == {Verdict.DATA}
    queries = dict(stand_in.queries)
    assert queries["/api/v1/query"]["time"] == [f"{NOW:.3f}"]
    assert queries["/loki/api/v1/query_range"]["start"] == [str(round(WINDOW.start * 1e9))]


def test_a_query_that_cannot_be_sent_is_an_error(stand_in: StandIn) -> None:
    board = dashboard(panel("Typo", 'up{q="$que"}'), panel("Empty", ""), panel("Other", "x", source="tempo"))
    found = {one.where: one.detail for one in outcomes(stand_in, [board])}
    assert found["Typo A"] == "no variable que in this dashboard"
    assert found["Empty A"] == "the query is empty"
    assert found["Other A"] == "data source 'tempo' is not checked here; there are: loki, prometheus"
    assert stand_in.queries == []


def test_hidden_queries_and_collapsed_rows() -> None:
    hidden = panel("Hidden", "a", hide=True)
    board = dashboard({"type": "row", "title": "R", "panels": [panel("Inside", "b")]}, hidden)
    assert [(one.panel, one.expression) for one in board.queries] == [("Inside", "b")]


def test_a_variable_without_values_is_listed(stand_in: StandIn) -> None:
    stand_in.answers = {"/api/v1/label/q/values": (200, {"data": []})}
    empty = {"name": "q", "type": "query", "query": "label_values(m, q)", "datasource": {"uid": "${prometheus}"}}
    with_all = {**empty, "name": "all", "includeAll": True, "allValue": ".*", "current": {"value": "$__all"}}
    found = {one.where: one for one in outcomes(stand_in, [dashboard(variables=[empty, with_all])])}
    assert {name: one.verdict for name, one in found.items()} == {"q": Verdict.NOTHING, "all": Verdict.NOTHING}


def log_rule(expression: str) -> RuleQuery:
    selectors = tuple(rule_queries.logql_selectors(expression))
    return RuleQuery(alert="A", engine="loki", expression=expression, selectors=selectors)


def test_log_rules(stand_in: StandIn) -> None:
    stand_in.answers = {
        "/loki/api/v1/query": result("vector"),
        "/loki/api/v1/series": (200, {"data": []}),
    }
    (found,) = outcomes(stand_in, [], [log_rule('sum(rate({app="a"} |= "{b}" [5m])) > 1')])
    assert (found.verdict, found.expression, found.detail) == (
        Verdict.MISSING,
        '{app="a"}',
        "no sample within 60 minutes",
    )


def test_a_log_rule_needs_the_labels_that_it_filters_by(stand_in: StandIn) -> None:
    stand_in.answers = {
        "/loki/api/v1/query": result("vector"),
        "/loki/api/v1/series": (200, {"data": [{"app": "a"}]}),
        "/loki/api/v1/query_range": result("streams"),
    }
    (found,) = outcomes(stand_in, [], [log_rule('sum(rate({app="a"} | levl="ERROR" [5m])) > 1')])
    assert (found.verdict, found.expression) == (Verdict.MISSING, '{app="a"} | levl!=""')


def test_a_log_panel_without_lines_is_quiet_if_it_searches_for_a_text(stand_in: StandIn) -> None:
    stand_in.answers = {
        "/loki/api/v1/query_range": result("streams"),
        "/loki/api/v1/series": (200, {"data": [{"app": "a"}]}),
    }
    expected = {
        '{app="a"} |~ "error"': Verdict.QUIET,
        '{app="a"} |= ""': Verdict.NOTHING,
        '{app="a"}': Verdict.NOTHING,
        '{app="a"} | json': Verdict.NOTHING,
        '{app="a"} | levl="x"': Verdict.MISSING,
        '{app="a"} | levl="x" |= "y"': Verdict.MISSING,
    }
    board = dashboard(*(panel(text, text, source="loki") for text in expected))
    assert {one.where[:-2]: one.verdict for one in outcomes(stand_in, [board])} == expected


@pytest.mark.parametrize(
    ("text", "series", "verdict"),
    [
        ("m > 1", ["m"], Verdict.QUIET),
        ("sum(m) / (sum(n) > 0)", ["m", "n"], Verdict.QUIET),
        ("m == bool 1", ["m"], Verdict.NOTHING),
        ("m", ["m"], Verdict.NOTHING),
        ("m > 1", [], Verdict.MISSING),
        ("sum(m) / (sum(n) > 0)", ["n"], Verdict.MISSING),
    ],
)
def test_a_panel_without_values_is_quiet_if_it_filters_series(
    stand_in: StandIn, text: str, series: list[str], verdict: Verdict
) -> None:
    stand_in.answers = {"/api/v1/query_range": result("matrix")}
    stand_in.series = {one: [{}] for one in series}
    (found,) = outcomes(stand_in, [dashboard(panel("P", text))])
    assert found.verdict is verdict


def rule(expression: str) -> RuleQuery:
    selectors = tuple(rule_queries.promql_selectors(expression))
    return RuleQuery(alert="A", engine="prometheus", expression=expression, selectors=selectors)


QUIET = Quiet(
    metrics={"m": "appears with the first loss"},
    values={
        "n": {'s=~"5.."': "appears with the first failure"},
        "k": {'label_l="true"': "exists only where somebody sets it"},
    },
)


@pytest.mark.parametrize(
    ("text", "series", "verdict", "detail"),
    [
        ("m > 1", [], Verdict.QUIET, "appears with the first loss"),
        ('m{a="b"} > 1', [], Verdict.QUIET, "appears with the first loss"),
        # The event happened only in another namespace.
        ('m{namespace="b"} > 1', ['m{namespace!=""}', "m"], Verdict.QUIET, "appears with the first loss"),
        ('m{namespace="b", c="d"} > 1', ['m{namespace!=""}', "m"], Verdict.MISSING, "no sample within 60 minutes"),
        # The metric may be absent, but it exists here, so a wrong label is not excused.
        ('m{a="b"} > 1', ["m"], Verdict.MISSING, "no sample within 60 minutes"),
        ('n{s=~"5.."} > 1', ['n{s!=""}'], Verdict.QUIET, "appears with the first failure"),
        ('n{s=~"5..", c="d"} > 1', ['n{s!="", c="d"}'], Verdict.QUIET, "appears with the first failure"),
        # A declared value excuses neither another matcher nor another value of its label.
        ('n{s=~"5..", c="d"} > 1', ['n{s!="", c!=""}', "n"], Verdict.MISSING, "no sample within 60 minutes"),
        ('n{s=~"6.."} > 1', ['n{s!=""}', "n"], Verdict.MISSING, "no sample within 60 minutes"),
        ('{__name__=~"n|o", s=~"5.."}', ['{__name__=~"n|o", s!=""}'], Verdict.QUIET, "appears with the first failure"),
        ('{__name__=~"m(_total)?"} > 1', [], Verdict.QUIET, "appears with the first loss"),
        ("x > 1", [], Verdict.MISSING, "no sample within 60 minutes"),
        # No object needs to have the label, but the metric exists.
        ('k{label_l="true"} > 1', ["k"], Verdict.QUIET, "exists only where somebody sets it"),
        ('k{label_l="true", c="d"} > 1', ["k"], Verdict.MISSING, "no sample within 60 minutes"),
        ('k{label_l="true"} > 1', [], Verdict.MISSING, "no sample within 60 minutes"),
    ],
)  # fmt: skip
def test_a_rule_that_finds_nothing_needs_a_declared_reason(
    stand_in: StandIn, text: str, series: list[str], verdict: Verdict, detail: str
) -> None:
    stand_in.answers = {"/api/v1/query": result("vector")}
    stand_in.series = {one: [{}] for one in series}
    (found,) = outcomes(stand_in, [], [rule(text)], quiet=QUIET)
    assert (found.verdict, found.detail) == (verdict, detail)
    assert found.good is (verdict is Verdict.QUIET)


def test_a_panel_that_shows_now_may_lack_what_has_ended(stand_in: StandIn) -> None:
    stand_in.answers, stand_in.series = {"/api/v1/query": result("vector")}, {"m": [{}], "x": [{}]}
    board = dashboard(panel("M", "max(m)", instant=True), panel("X", "max(x)", instant=True))
    good = [one.detail for one in outcomes(stand_in, [board], quiet=QUIET) if one.good]
    assert good == ["appears with the first loss; ended within the last 60 minutes"]


@pytest.mark.parametrize("text", ["sum(x) or vector(0)", "x or 0 * y", "absent(x)"])
def test_a_default_for_missing_data_is_not_data(stand_in: StandIn, text: str) -> None:
    """Such a panel always has an answer, even if its metric does not exist."""
    stand_in.answers = {"/api/v1/query_range": result("matrix", {"metric": {}, "values": [[1, "0"]]})}
    stand_in.series = {"y": [{}]}
    (found,) = outcomes(stand_in, [dashboard(panel("P", text))])
    assert (found.verdict, found.expression, found.good) == (Verdict.MISSING, "x", False)
    stand_in.series = {"x": [{}], "y": [{}]}
    (found,) = outcomes(stand_in, [dashboard(panel("P", text))])
    assert found.verdict is Verdict.DATA


def test_no_more_than_a_few_queries_at_once(stand_in: StandIn) -> None:
    stand_in.answers = {"/api/v1/query_range": result("matrix")}
    outcomes(stand_in, [dashboard(*(panel(f"P{n}", "up") for n in range(20)))])
    assert 1 < stand_in.most_at_once <= AT_ONCE


def test_ctrl_c_ends_the_check_and_is_reported(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in.answers = {
        "/api/v1/status/buildinfo": (200, {}),
        "/api/v1/status/config": (200, {"data": {"yaml": "global: {scrape_interval: 15s}"}}),
        "/api/v1/query_range": result("matrix"),
    }
    real = Check.run

    def interrupted(self: Check, boards: Any, rules: Any, done: Any) -> None:
        def stop(outcome: Outcome) -> None:
            done(outcome)
            raise KeyboardInterrupt

        real(self, boards, rules, stop)

    monkeypatch.setattr(Check, "run", interrupted)
    text = Console(file=StringIO(), width=200, record=True)
    board = dashboard(*(panel(f"P{n}", "up") for n in range(50)))
    assert run(text, {"prometheus": stand_in.url}, [board], [], json_file=tmp_path / "x.json") == 130
    assert "Interrupted after 1 of about 50 queries." in text.export_text()
    assert len(json.loads((tmp_path / "x.json").read_text())) == 1
    assert len([path for path, _ in stand_in.queries if path.endswith("query_range")]) < 50


def test_an_unreachable_source_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.clients.signals.FIRST_PATIENCE", 0.1)
    with pytest.raises(OpsError, match=r"Prometheus at http://127\.0\.0\.1:9 does not answer"):
        run(Console(file=StringIO()), {"prometheus": "http://127.0.0.1:9"}, [], [])


def test_a_slow_answer_is_an_error(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.queries.query_sources.TIMEOUT", 0.005)
    source = PrometheusSource(stand_in.url)
    with pytest.raises(QueryError, match=r"no answer within 0\.005 s"):
        source.rows(Question(expression="up", step=15), WINDOW)
    source.close()
