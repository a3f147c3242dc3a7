"""Loki evaluates the LogQL that no rule check sees: that of dashboards and runbooks, and with any threshold."""

import json
import re
import time
import urllib.error
from collections.abc import Callable, Iterator

import pytest

from alerting import loader
from alerting.model import AlertOverride
from dashboards import DASHBOARDS
from tests.dashboards.committed import committed, filled_in, queries
from tests.mock_engine import ROOT
from tools.rule_tests.loki_server import LokiServer

RULES = loader.load()
LIMITS = [
    (alert, name)
    for alert, named in RULES.thresholds.items()
    for name in named
    if RULES.rules()[alert].engine == "loki"
]
# The forms of a number that Python writes: whole, with a point, and with a large and a small exponent.
NUMBERS = (0, 7, 0.25, 1e15, 1.5e300, 5e-324)


def of_dashboards() -> Iterator[str]:
    for name in DASHBOARDS:
        dashboard = committed(name)
        for panel, target in queries(dashboard):
            if panel["datasource"]["uid"] == "${loki}":
                yield filled_in(dashboard, target["expr"], "loki")


def of_runbooks() -> Iterator[str]:
    for file in sorted((ROOT / "rules/runbooks").glob("*.md")):
        for block in re.findall(r"```logql\n(.+?)```", file.read_text(), re.DOTALL):
            yield from block.splitlines()


def problem(server: LokiServer, query: str) -> str:
    """Why Loki does not evaluate a query; empty if it does. Lines are counted, because only a count is a value."""
    try:
        server.query("logql", f"count_over_time({query} [5m])" if query.startswith("{") else query, time.time())
    except urllib.error.HTTPError as error:
        return f"{query}: {error.read().decode()}"
    return ""


@pytest.mark.parametrize("source", [of_dashboards, of_runbooks])
def test_every_query_is_evaluated(server: LokiServer, source: Callable[[], Iterator[str]]) -> None:
    found = set(source())
    assert len(found) >= 10
    assert [said for query in found if (said := problem(server, query))] == []


def test_a_query_that_loki_refuses_is_named(server: LokiServer) -> None:
    for query in ('{a="b"} | jsn', '{a="b"} |~ "("', 'rate({a="b"}[5m]'):
        assert json.dumps(problem(server, query)).startswith(json.dumps(f"{query}: parse error")[:-1])


def test_any_number_may_be_the_threshold_of_an_alert_on_logs(server: LokiServer) -> None:
    assert LIMITS
    for alert, name in LIMITS:
        for value in NUMBERS:
            change = AlertOverride(thresholds={name: value})
            changed = loader.effective(RULES.rules()[alert], RULES.thresholds[alert], change)
            assert problem(server, changed.expr) == ""
