"""The order of a drill and its end, against services that do at once what they are told."""

import time
from collections.abc import Collection
from io import StringIO
from typing import Any, cast

import pytest
import typer
from rich.console import Console

from ops import drill, fire_alerts
from ops.clients import Alertmanager, Delivery, Prometheus, Receiver, Simulator
from ops.drill import Drill, Services, Stage
from ops.errors import OpsError
from ops.log_rules import LogRules
from ops.plan import AlertPlan, Waits, content
from ops.platform_faults import PlatformFaults
from rules.model import Engine

WAITS = Waits(scrape=1, evaluation=1, for_=1, group_wait=1, group_interval=1)
CHANNEL = "job-queue-webhook"


class Stack:
    """Everything that a drill talks to: an alert fires as soon as its fault is on, and is told at once."""

    def __init__(self, *, stubborn: Collection[str] = ()) -> None:
        self.stubborn = stubborn
        """Alerts whose fault cannot be switched off."""
        self.on: list[str] = []
        self.log: list[str] = []
        self.told: list[Delivery] = []
        self.asked = 0

    def _tell(self, alert: str, status: str) -> None:
        one = {"alertname": alert, "status": status}
        payload = {"receiver": CHANNEL}
        self.told.append(
            Delivery(
                received_at=time.time() + 1, channel="", kind="webhook", status=status, alerts=(one,), payload=payload
            )
        )

    def faults(self) -> list[dict[str, Any]]:
        return [{"alert": alert} for alert in ("A", "B", "C")]

    def switch_on(self, alert: str, *, seconds: float) -> float:
        self.log.append(f"+{alert}")
        self.on.append(alert)
        self._tell(alert, "firing")
        return time.time()

    def switch_off(self, alert: str) -> float:
        self.log.append(f"-{alert}")
        if alert in self.stubborn:
            raise OpsError("the API server says 500")
        self.on.remove(alert)
        self._tell(alert, "resolved")
        return time.time()

    def deliveries(self, since: float) -> list[Delivery]:
        return [one for one in self.told if one.received_at >= since]

    def alerts(self, *_: str) -> list[dict[str, Any]]:
        return []

    def query(self, _: str) -> list[dict[str, Any]]:
        return [{"value": [0, "5"]}]

    def alert_rules(self) -> dict[str, dict[str, Any]]:
        self.asked += 1
        return {alert: {"state": "inactive"} for alert in ("A", "B", "C")}


def services(stack: Stack, log_rules: Stack | None = None) -> Services:
    return Services(
        simulator=cast(Simulator, stack),
        receiver=cast(Receiver, stack),
        prometheus=cast(Prometheus, stack),
        alertmanager=cast(Alertmanager, stack),
        log_rules=cast(LogRules, log_rules) if log_rules else None,
    )


def plan(alert: str, engine: Engine = "prometheus") -> AlertPlan:
    labels = {"system": "job-queue"}
    return AlertPlan(alert=alert, labels=labels, channels=(CHANNEL,), waits=WAITS, default_for=1, engine=engine)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "TICK", 0.001)


def test_what_must_be_alone_comes_after_the_others() -> None:
    stack = Stack()
    work = Drill([plan("B"), plan("A"), plan("C")], services(stack), content(None))
    work.run(alone=["B"])

    assert stack.log == ["+A", "+C", "-A", "-C", "+B", "-B"]
    assert {run.stage for run in work.runs} == {Stage.DONE}


def test_a_fault_that_cannot_be_switched_off_fails_its_run_alone() -> None:
    stack = Stack(stubborn=["A"])
    work = Drill([plan("A"), plan("B")], services(stack), content(None))
    work.run()

    first, second = work.runs
    assert (first.stage, second.stage) == (Stage.FAILED, Stage.DONE)
    assert first.problems[0] == "its fault could not be switched off: the API server says 500"
    assert stack.log.count("-A") == 2, "it is tried again at the end"


def test_an_alert_on_log_lines_is_looked_for_in_loki() -> None:
    stack, loki = Stack(), Stack()
    work = Drill([plan("A", "loki")], services(stack, loki), content(None))
    work.run()

    assert (stack.asked, loki.asked) == (0, 1)
    assert work.runs[0].stage is Stage.DONE


class Platform:
    """Faults of the platform of which these cannot be ended."""

    def __init__(self, left: dict[str, str]) -> None:
        self.left = left

    def end_all(self) -> dict[str, str]:
        return self.left


LEFT = cast(PlatformFaults, Platform({"GrafanaDown": "kubectl -n observability scale deployment/grafana"}))


def test_what_could_not_be_repaired_is_printed_and_an_error() -> None:
    text = Console(file=StringIO(), width=60, record=True)
    with pytest.raises(typer.Exit) as raised, fire_alerts.repaired(text, LEFT):
        pass

    assert "kubectl -n observability scale deployment/grafana" in text.export_text()
    assert raised.value.exit_code == 1


def test_what_could_not_be_repaired_is_printed_also_after_an_error() -> None:
    text = Console(file=StringIO(), width=60, record=True)
    with pytest.raises(OpsError, match="does not answer"), fire_alerts.repaired(text, LEFT):
        raise OpsError("Prometheus does not answer")

    assert "kubectl -n observability scale deployment/grafana" in text.export_text()


def test_without_anything_left_nothing_is_said() -> None:
    text = Console(file=StringIO(), width=60, record=True)
    with fire_alerts.repaired(text, cast(PlatformFaults, Platform({}))):
        pass
    with fire_alerts.repaired(text, None):
        pass
    assert text.export_text() == ""
