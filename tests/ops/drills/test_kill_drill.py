"""The kill drill counts notifications correctly, and a real pipeline with replicas loses none when they are killed."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ops.clients.signals import Alertmanager, Delivery, Prometheus, Receiver, Simulator
from ops.drills import kill_drill
from ops.drills.deployed import content
from ops.drills.kill_drill import ALERT, KillDrill, count, lost, perform, taking_turns
from ops.drills.plan import AlertPlan, Waits, from_live
from tests.ops.pipeline import SHORT, Pipeline, pipeline

FILES = content(None)
WAITS = Waits(scrape=1, evaluation=1, for_=1, group_wait=1, group_interval=1)
PLAN = AlertPlan(
    alert=ALERT, labels={}, channels=("job-queue-slack", "job-queue-webhook"), waits=WAITS, default_for=120
)


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
    counted = count("k-1", [*received, *more], FILES)

    assert counted.firing == {"job-queue-webhook": 2, "job-queue-slack": 1}
    assert counted.resolved == {"job-queue-webhook": 1, "job-queue-slack": 1}
    assert counted.duplicates == 1
    assert lost(PLAN, counted, FILES) == []


def test_a_missing_notification_is_lost() -> None:
    counted = count("k-1", [webhook("k-1", "firing"), webhook("k-1", "resolved"), slack("k-1", "firing")], FILES)

    assert lost(PLAN, counted, FILES) == ["resolved in job-queue-slack"]
    assert len(lost(PLAN, count("k-2", [], FILES), FILES)) == 4


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


def test_killing_replicas_loses_no_notification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_drill, "TICK", 0.25)
    with pipeline(tmp_path, {ALERT: {"for": SHORT}}, prometheis=2, alertmanagers=3) as running:
        urls = running.urls
        (plan,) = from_live(FILES, Prometheus(urls["prometheus-0"]), Alertmanager(urls["alertmanager-0"]), [ALERT])
        pods = Processes(running, ["alertmanager-0", "prometheus-1", "alertmanager-1"])
        drill = KillDrill(pods, Simulator(urls["simulator-server"]), Receiver(urls["receiver"]), plan, FILES, seed=1)
        drill.settle = 0
        text = Console(file=StringIO(), width=160, record=True)
        code = perform(drill, 3, text)

    assert code == 0, text.export_text()
    assert "3 kills" in text.export_text()
    assert all(kill.back_after is not None and kill.fault_off for kill in drill.kills)
