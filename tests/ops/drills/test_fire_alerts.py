"""fire-alerts with a real pipeline: real rules, Prometheus, Alertmanager, simulator and receiver, on loopback."""

import json
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from alerting.routing import Route, Routing
from ops import environment
from ops.clients.signals import Delivery, Receiver
from ops.drills import drill as drills
from ops.drills import routing_drill
from ops.drills.deployed import content
from ops.drills.drill import Drill
from ops.drills.fire_alerts import drill
from ops.drills.plan import from_live
from ops.drills.report_files import Outputs
from ops.drills.services import Services
from ops.drills.stages import Stage
from ops.errors import OpsError
from tools.programs import eventually

LEVELS = ["JobQueueDepthHigh", "JobQueueNoWorkers"]
"""Alerts that resolve at once, without a rate window."""
CHANNELS = {
    "JobQueueDepthHigh": {"job-queue-slack", "job-queue-webhook"},
    "JobQueueNoWorkers": {"job-queue-slack", "job-queue-webhook", "job-queue-pagerduty"},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (drills, routing_drill):
        monkeypatch.setattr(module, "TICK", 0.1)


def no_fault_is_on(services: Services) -> bool:
    return all(not fault["active"] for fault in services.source.faults())


def test_alerts_are_delivered_resolved_and_measured(services: Services, tmp_path: Path) -> None:
    outputs = Outputs(folder=tmp_path / "report", json=tmp_path / "result.json")
    text = Console(file=StringIO(), width=160, record=True)
    code = drill(text, environment.load("local"), services, LEVELS, outputs=outputs)
    result = {one["alert"]: one for one in json.loads((tmp_path / "result.json").read_text())["alerts"]}
    shown = text.export_text()

    assert code == 0, shown
    assert "2 of 2 alerts delivered and resolved (2 simulated workload)" in shown
    assert all(name in (tmp_path / "report/report.html").read_text() for name in LEVELS)
    assert "JobQueueDepthHigh 120 s -> 0.25 s" in shown  # the report shows that `for` is not the default
    assert set(result) == set(LEVELS)
    for alert, one in result.items():
        assert set(one["delivered"]) == set(one["resolved"]) == CHANNELS[alert]
        # From the running configuration: scrape 1 s; evaluation, for and group_wait 0.25 s each.
        assert one["allowed"] == 1.75
        assert one["limit"] == 1.75 + 1 + 2
        assert one["for"] < one["delivery"]
        assert one["overhead"] == pytest.approx(one["delivery"] - 1.75)
        assert one["late"] is (one["delivery"] > one["limit"])  # true on a busy machine
    assert no_fault_is_on(services)


def test_a_channel_that_is_not_notified_is_named(services: Services) -> None:
    """The files route the alert to platform-slack too; the running Alertmanager does not."""
    files = content(None)
    route = Route(match={"system": "job-queue"}, channels=["job-queue-slack", "job-queue-webhook", "platform-slack"])
    wrong: Routing = files.routing.model_copy(update={"routes": [route]})
    expecting = files.__class__(**{**vars(files), "routing": wrong})
    plans = from_live(expecting, services.prometheus, services.alertmanager, ["JobQueueRedisErrors"])
    work = Drill(plans, services, expecting, leeway=2.0)
    work.run()
    (run,) = work.runs

    assert run.stage is Stage.FAILED
    assert run.problems[0].startswith("no firing notification in platform-slack: ")
    assert "in job-queue" not in run.problems[0]
    assert run.delivery_seconds is None
    assert no_fault_is_on(services)


def test_an_interrupt_switches_every_fault_off(services: Services) -> None:
    plans = from_live(content(None), services.prometheus, services.alertmanager, ["JobQueueSchedulerSlow"])
    work = Drill(plans, services, content(None))

    def interrupt() -> None:
        if any(run.stage is Stage.FIRING for run in work.runs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.run(on_tick=interrupt)

    assert work.runs[0].fault_off is not None
    assert no_fault_is_on(services)


def test_a_report_is_written_when_a_service_goes_away(services: Services, tmp_path: Path) -> None:
    class Gone(Receiver):
        def deliveries(self, since: float) -> list[Delivery]:
            if any(fault["active"] for fault in services.source.faults()):
                raise OpsError("the notification receiver does not answer: gone")
            return super().deliveries(since)

    alert = "JobQueueKafkaPublishErrorsSpiking"  # no other test makes it fire, so its fault begins at once
    text = Console(file=StringIO(), width=160, record=True)
    broken = replace(services, receiver=Gone(services.receiver.url))
    with pytest.raises(OpsError, match="gone"):
        drill(text, environment.load("local"), broken, [alert], outputs=Outputs(folder=tmp_path))

    assert "not finished" in text.export_text()
    assert alert in (tmp_path / "report.html").read_text()
    assert no_fault_is_on(services)


@pytest.mark.parametrize("with_receiver", [True, False])
def test_routing_only(services: Services, with_receiver: bool) -> None:
    text = Console(file=StringIO(), width=140, record=True)
    receiver = services.receiver.url if with_receiver else None
    code = routing_drill.run(text, content(None), ["JobQueueFailureRateHigh"], services.alertmanager.url, receiver)
    shown = text.export_text()

    assert code == 0, shown
    assert "routing only" in shown
    assert "routed as expected" in shown
    assert ("RECEIVER_URL is not set" in shown) is not with_receiver

    def active() -> list[object]:
        return [one for one in services.alertmanager.alerts('drill="true"') if one["status"]["state"] == "active"]

    eventually(lambda: not active(), what="the posted alerts are still active")


def test_routing_only_uses_the_stacks_rules(services: Services) -> None:
    """Alerts are posted with their overridden labels, which a route may match; disabled alerts are not posted."""
    changes = {"JobQueueFailureRateHigh": {"severity": "info", "page": False}, "JobQueueDepthHigh": {"enabled": False}}
    stack = environment.Environment(stack="other", root=environment.ROOT, values={"alertOverrides": changes})
    text = Console(file=StringIO(), width=140, record=True)
    names = ["JobQueueFailureRateHigh", "JobQueueDepthHigh"]
    begun = time.time()
    code = routing_drill.run(text, content(stack), names, services.alertmanager.url, services.receiver.url)
    shown = text.export_text()
    posted = [
        alert["labels"]
        for delivery in services.receiver.deliveries(begun)
        if delivery.kind == "webhook"
        for alert in delivery.alerts
        if alert["labels"].get("drill") == "true"
    ]

    assert code == 0, shown
    assert "left out, because the stack disables them: JobQueueDepthHigh" in shown
    assert {(one["alertname"], one["severity"], one["page"]) for one in posted} == {
        ("JobQueueFailureRateHigh", "info", "false")
    }


def test_routing_only_of_nothing_but_disabled_alerts_is_an_error() -> None:
    changes = {"JobQueueDepthHigh": {"enabled": False}}
    stack = environment.Environment(stack="other", root=environment.ROOT, values={"alertOverrides": changes})

    with pytest.raises(OpsError, match=r"nothing to drill: .* disable JobQueueDepthHigh"):
        routing_drill.run(Console(file=StringIO()), content(stack), ["JobQueueDepthHigh"], "http://127.0.0.1:9", None)


def test_routing_only_names_a_wrong_receiver(services: Services) -> None:
    files = content(None)
    wrong = files.routing.model_copy(update={"routes": []})
    expecting = files.__class__(**{**vars(files), "routing": wrong})
    text = Console(file=StringIO(), width=140, record=True)
    code = routing_drill.run(text, expecting, ["JobQueueFailureRateHigh"], services.alertmanager.url, None)

    assert code == 1
    assert "Alertmanager sends it to" in text.export_text()
