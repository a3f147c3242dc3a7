"""The kill drill counts notifications correctly, and a real pipeline with replicas loses none when they are killed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from ops.clients.signals import Alertmanager, Delivery, Prometheus, Receiver, Simulator
from ops.drills import kill_drill
from ops.drills.deployed import content
from ops.drills.kill_drill import ALERT, KILLED, LOG_ALERT, KillDrill, Way, perform, taking_turns
from ops.drills.kill_report import Count, Kill, lost
from ops.drills.kill_report import count as counted_about
from ops.drills.plan import AlertPlan, Waits, from_live
from tests.ops.pipeline import SHORT, Pipeline, pipeline

FILES = content(None)
WAITS = Waits(scrape=1, evaluation=1, for_=1, group_wait=1, group_interval=1)
PLAN = AlertPlan(
    alert=ALERT, labels={}, channels=("job-queue-slack", "job-queue-webhook"), waits=WAITS, default_for=120
)


def count(instance: str, deliveries: list[Delivery], **changes: Any) -> Count:
    kill = Kill(alert=ALERT, label="queue", instance=instance, pod="p-0", moment="while firing", since=0)
    return counted_about(replace(kill, **changes), deliveries)


def webhook(queue: str, status: str) -> Delivery:
    alert = {"alertname": ALERT, "status": status, "labels": {"queue": queue}}
    payload = {"receiver": "job-queue-webhook"}
    return Delivery(received_at=0, channel="x", kind="webhook", status=status, alerts=(alert,), payload=payload)


def slack(queue: str, status: str) -> Delivery:
    alert = {"alertname": ALERT, "status": status, "labels": {}}
    payload = {"channel": "#job-queue-alerts", "attachments": [{"text": f"*Jobs pile up in queue {queue}*\n"}]}
    channel = "job-queue-slack"
    return Delivery(received_at=0, channel=channel, kind="slack", status=status, alerts=(alert,), payload=payload)


def test_every_state_in_every_channel_is_counted_per_instance() -> None:
    received = [webhook("k-1", "firing"), slack("k-1", "firing"), webhook("k-1", "resolved"), slack("k-1", "resolved")]
    more = [webhook("k-1", "firing"), webhook("k-10", "firing"), slack("k-10", "firing")]
    counted = count("k-1", [*received, *more])

    assert counted.firing == {"job-queue-webhook": 2, "job-queue-slack": 1}
    assert counted.resolved == {"job-queue-webhook": 1, "job-queue-slack": 1}
    assert counted.duplicates == 1
    assert lost(PLAN, counted, FILES) == []


def test_a_missing_notification_is_lost() -> None:
    counted = count("k-1", [webhook("k-1", "firing"), webhook("k-1", "resolved"), slack("k-1", "firing")])

    assert lost(PLAN, counted, FILES) == ["resolved in job-queue-slack"]
    assert len(lost(PLAN, count("k-2", []), FILES)) == 4


def test_an_instance_that_is_used_again_counts_for_the_kill_of_its_time() -> None:
    received = [replace(webhook("ai-service", "firing"), received_at=at) for at in (1, 5, 6)]
    assert count("ai-service", received, since=0, until=5).firing == {"job-queue-webhook": 1}
    assert count("ai-service", received, since=5).firing == {"job-queue-webhook": 2}
    assert count("ai-service", received, label="service").firing == {}
    assert count("ai-service", received, alert=LOG_ALERT).firing == {}


def test_each_app_on_the_way_of_an_alert_is_killed_during_that_alert() -> None:
    assert KILLED == {"prometheus": ALERT, "alertmanager": ALERT, "loki": LOG_ALERT, "otel-gateway": LOG_ALERT}
    assert FILES.rules[ALERT].engine == "prometheus"
    assert FILES.rules[LOG_ALERT].engine == "loki"


@dataclass
class Processes:
    """Replicas that are processes on this machine."""

    running: Pipeline
    chosen: list[str]

    def names(self) -> list[str]:
        return self.chosen

    def kill(self, name: str) -> None:
        self.running.kill(name)

    def wait_back(self, name: str, timeout: float) -> None:
        self.running.wait_ready()


def test_few_kills_hit_every_app() -> None:
    pods = ["alertmanager-0", "alertmanager-1", "alertmanager-2", "prometheus-0", "prometheus-1"]
    assert taking_turns(pods)[:3] == ["alertmanager-0", "prometheus-0", "alertmanager-1"]
    assert set(taking_turns(pods)) == set(pods)


class Clock:
    """Time that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class World:
    """A pipeline that delivers seconds after a fault's start and end, unless `loses` says otherwise."""

    def __init__(self, clock: Clock, loses: Callable[[str, str, int], bool]) -> None:
        self.sent: list[Delivery] = []
        self.faults: list[str] = []
        self.killed: list[str] = []
        self._clock = clock
        self._loses = loses

    def simulator(self, label: str, resolves_after: float) -> Any:
        def send(alert: str, instance: str, status: str, delay: float) -> float:
            self.faults.append(f"{status} {instance}")
            at = self._clock.now + delay
            one = {"alertname": alert, "status": status, "labels": {label: instance}}
            if not self._loses(instance, status, self.faults.count(f"{status} {instance}")):
                self.sent.append(
                    Delivery(received_at=at, channel="pager", kind="webhook", status=status, alerts=(one,), payload={})
                )
            return self._clock.now

        return SimpleNamespace(
            switch_on=lambda alert, instance: send(alert, instance, "firing", 3),
            switch_off=lambda alert, instance: send(alert, instance, "resolved", resolves_after),
        )

    def deliveries(self, since: float) -> list[Delivery]:
        return [one for one in self.sent if since <= one.received_at <= self._clock.now]

    def drill(self) -> KillDrill:
        plan = partial(AlertPlan, labels={}, channels=("pager",), waits=WAITS, default_for=1)
        lines = plan(alert=LOG_ALERT, engine="loki", window=300)
        line = Way(plan=lines, simulator=self.simulator("service", 30), label="service", instances=("a", "b"))
        metric = Way(plan=plan(alert=ALERT), simulator=self.simulator("queue", 2), label="queue")
        names = ["loki-0", "otel-gateway-0", "prometheus-0"]
        pods: Any = SimpleNamespace(names=lambda: names, kill=self.killed.append, wait_back=lambda name, timeout: None)
        files: Any = SimpleNamespace(resolves=lambda channel: True)
        receiver: Any = self
        ways = {"loki": line, "otel-gateway": line, "prometheus": metric}
        return KillDrill(pods, receiver, ways, files, seed=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(kill_drill, "time", made)
    return made


def test_an_instance_of_a_log_alert_is_used_again_once_it_is_over(clock: Clock) -> None:
    world = World(clock, lambda *_: False)
    drill = world.drill()
    drill.run(9, lambda _: None)
    assert world.killed == ["prometheus-0", "loki-0", "otel-gateway-0"] * 3
    assert not any(drill.missing())
    assert [(one.firing, one.resolved) for one in drill.counts()] == [({"pager": 1}, {"pager": 1})] * 9
    assert [kill.instance for kill in drill.kills if kill.alert == LOG_ALERT] == ["a", "b"] * 3
    # One at a time: the first fault of an instance is over, and told, before its next.
    assert [one for one in world.faults if one.endswith(" a")] == ["firing a", "resolved a"] * 3


def test_a_message_that_is_lost_counts_for_its_own_kill(clock: Clock) -> None:
    world = World(clock, lambda instance, status, times: (instance, status, times) == ("a", "resolved", 2))
    drill = world.drill()
    drill.run(9, lambda _: None)
    assert [number for number, missing in enumerate(drill.missing()) if missing] == [4]
    assert drill.missing()[4] == ["resolved in pager"]


def test_killing_replicas_loses_no_notification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_drill, "TICK", 0.25)
    with pipeline(tmp_path, {ALERT: {"for": SHORT}}, prometheis=2, alertmanagers=3) as running:
        urls = running.urls
        (plan,) = from_live(FILES, Prometheus(urls["prometheus-0"]), Alertmanager(urls["alertmanager-0"]), [ALERT])
        pods = Processes(running, ["alertmanager-0", "prometheus-1", "alertmanager-1"])
        way = Way(plan=plan, simulator=Simulator(urls["simulator-server"]), label="queue")
        drill = KillDrill(pods, Receiver(urls["receiver"]), dict.fromkeys(KILLED, way), FILES, seed=1)
        drill.settle = 0
        text = Console(file=StringIO(), width=160, record=True)
        code = perform(drill, 3, text)

    assert code == 0, text.export_text()
    assert "3 kills" in text.export_text()
    assert all(kill.back_after is not None and kill.fault_off for kill in drill.kills)
