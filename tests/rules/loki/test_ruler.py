"""Loki's ruler itself: it reads the rendered rules and sends what fires, and that it is over, to Alertmanager."""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from alerting import loader, log_streams
from alerting.model import AlertOverride, Group, Links, LogRule, RuleFile
from tools.http_server import Handler, serving
from tools.programs import eventually
from tools.rule_tests.loki_server import loki

NAME = "SpecCursorErrorLogBurst"
LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test")
TENANT = "fake"


@pytest.fixture
def alertmanager() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Host and port of what stands where Alertmanager stands, and the alerts that it was sent."""
    alerts: list[dict[str, Any]] = []

    class Alertmanager(Handler):
        def respond(self) -> None:
            assert self.path == "/api/v2/alerts"
            alerts.extend(json.loads(self.body()))
            self.answer(200)

    with serving(Alertmanager) as url:
        yield url.removeprefix("http://"), alerts


def test_the_ruler_sends_the_alert_and_reads_a_changed_file(
    tmp_path: Path, alertmanager: tuple[str, list[dict[str, Any]]]
) -> None:
    rule_set = loader.load()
    rules = tmp_path / "rules" / TENANT

    def deploy(lines_per_minute: float) -> None:
        change = AlertOverride.model_validate({"for": "2s", "thresholds": {"lines_per_minute": lines_per_minute}})
        rules.mkdir(parents=True, exist_ok=True)
        for name, text in loader.render_loki(rule_set, {NAME: change}, LINKS).items():
            (rules / name).write_text(text)

    deploy(10)
    address, alerts = alertmanager
    shipped = loader.render_loki(rule_set, {}, LINKS)
    with loki(tmp_path, alertmanagers=[address], evaluation_interval="1s", rule_files=shipped) as server:
        stream = {"namespace": "speccursor", "app": "speccursor", "service": "controller"}
        now = time.time_ns()
        server.push(TENANT, stream, ((now - 60 * 10**9 + i * 10**8, "failed", {"level": "ERROR"}) for i in range(100)))
        alert = eventually(lambda: alerts, what="no alert arrives")[0]
        # Long enough for a restarted Loki to fire it again: `for`, and some minutes.
        assert _time(alert["endsAt"]) - _time(alert["startsAt"]) > 60 * (5 + 4)
        rule = rule_set.rules()[NAME]
        assert alert["labels"] == {
            **rule.labels.model_dump(),
            "alertname": NAME,
            "namespace": "speccursor",
            "service": "controller",
            "cluster": "test",
        }
        assert alert["annotations"] == {
            "summary": "Service controller logs many errors",
            "description": "controller (namespace speccursor) logs 20 ERROR lines per minute.",
            "dashboard_url": "https://grafana.test/d/speccursor-system",
            "runbook_url": f"https://runbooks.test/{NAME}.md",
        }
        assert alert["generatorURL"].startswith("http://grafana.test/explore?")
        assert "%22loki%22" in alert["generatorURL"]
        # The threshold goes up in the file, nothing restarts, and the alert is over.
        deploy(1000)
        eventually(lambda: [one for one in alerts if one["endsAt"] < _soon()], what="the alert is not over")


def test_the_ruler_counts_selectors_that_find_no_line(tmp_path: Path) -> None:
    """Each selector has a group of its own. Lines without the label that an alert filters by are of no use to it."""
    rule = loader.load().rules()[NAME]
    selectors = {name: rule.expr.replace('"speccursor"', f'"{name}"') for name in ("right", "unlabelled", "wrong")}
    rules = {name: LogRule.model_validate(dict(rule) | {"expr": text}) for name, text in selectors.items()}
    group = Group[LogRule](name="logs", rules=list(rules.values()))
    rule_set = loader.load().model_copy(update={"loki_files": {"logs.yaml": RuleFile[LogRule](groups=[group])}})
    text = loader.render_loki(rule_set, {}, LINKS)[log_streams.FILE]
    folder = tmp_path / "rules" / TENANT
    folder.mkdir(parents=True)
    (folder / log_streams.FILE).write_text(text.replace("interval: 1m", "interval: 1s"))
    with loki(tmp_path, evaluation_interval="1s") as server:
        now = time.time_ns()
        server.push(TENANT, {"namespace": "right", "service": "a"}, [(now, "fine", {"level": "INFO"})])
        server.push(TENANT, {"namespace": "unlabelled", "service": "a"}, [(now, "fine", {})])

        def results() -> dict[str, int]:
            page = server.ask("/metrics", TENANT).decode()
            found = re.findall(rf"^{log_streams.RESULTS}\{{.*;(log-streams-\w+)\",.*}} (\d+)$", page, re.MULTILINE)
            return {group: int(count) for group, count in found}

        def group_of(name: str) -> str:
            (lines,) = [one.lines for one in log_streams.streams(selectors[name])]
            match = re.search(r";(log-streams-\w+)", log_streams.absent(lines, "1d"))
            assert match
            return match[1]

        expected = {group_of("right"): 0, group_of("unlabelled"): 1, group_of("wrong"): 1}
        eventually(lambda: results() == expected, what="the ruler does not count what is missing")


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _soon() -> str:
    """An end that is no longer in the future: a firing alert ends minutes from now, until it is sent again."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
