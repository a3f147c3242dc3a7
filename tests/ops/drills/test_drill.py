"""The course and the end of a drill, with fake services that react at once."""

import time
from io import StringIO
from typing import cast

import pytest
import typer
from rich.console import Console

from ops.drills import drill, fire_alerts, wait_times
from ops.drills.deployed import content
from ops.drills.drill import Drill
from ops.drills.platform_faults import PlatformFaults
from ops.drills.stages import Run, Stage, resolved_text, verdict
from ops.errors import OpsError
from tests.ops.drills.drill_stack import CHANNEL, Stack, plan, services

FILES = content(None)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "TICK", 0.001)


def drilled(stack: Stack, *names: str, window: float = 0.0, longest_window: float = 1800.0) -> dict[str, Run]:
    work = Drill(
        [plan(name, window=window) for name in names], services(stack), FILES, leeway=0.2, longest_window=longest_window
    )
    work.run()
    return {run.plan.alert: run for run in work.runs}


def test_a_fault_that_must_be_alone_comes_after_the_others() -> None:
    stack = Stack()
    work = Drill([plan("B"), plan("A"), plan("C")], services(stack), FILES)
    work.run(alone=["B"])

    assert stack.log == ["+A", "+C", "-A", "-C", "+B", "-B"]
    assert {run.stage for run in work.runs} == {Stage.DONE}


def test_a_serial_drill_has_one_fault_at_a_time() -> None:
    stack = Stack()
    Drill([plan("B"), plan("A")], services(stack), FILES).run(serial=True)

    assert stack.log == ["+B", "-B", "+A", "-A"]


def test_an_alert_is_over_when_none_of_its_instances_fires() -> None:
    """The last one would mute the alerts of the next drill."""
    stack = Stack(lingering={"A": 0.1})
    work = Drill([plan("A"), plan("B")], services(stack), FILES)
    work.run(serial=True)

    ends = {run.plan.alert: run for run in work.runs}
    assert {run.stage for run in work.runs} == {Stage.DONE}
    assert (ends["B"].fault_on or 0) - (ends["A"].fault_off or 0) >= 0.1


def test_a_fault_that_cannot_be_switched_off_fails_only_its_own_run() -> None:
    stack = Stack(stubborn=["A"])
    runs = drilled(stack, "A", "B")

    assert (runs["A"].stage, runs["B"].stage) == (Stage.FAILED, Stage.DONE)
    assert runs["A"].problems[0] == "its fault could not be switched off: the API server says 500"
    assert stack.log.count("-A") == 2, "the drill must try again at its end"


def test_an_alert_on_log_lines_is_queried_in_loki() -> None:
    stack, loki = Stack(), Stack()
    work = Drill([plan("A", engine="loki")], services(stack, loki), FILES)
    work.run()

    assert stack.queries == 0
    assert loki.queries > 0
    assert work.runs[0].stage is Stage.DONE


def test_the_drill_does_not_wait_for_a_window_that_is_too_long() -> None:
    stack = Stack(endless=["A"])
    run = drilled(stack, "A", window=3600)["A"]

    assert run.ok
    assert stack.log == ["+A", "-A"]
    assert verdict(run) == "delivered"
    assert resolved_text(run) == "not awaited: window 1h"


def test_the_end_of_a_shorter_window_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_times, "SHORTEST_EMPTYING", 0.1)
    work = Drill([plan("A", window=0.1)], services(Stack(endless=["A"])), FILES, leeway=-2.5)
    work.run()

    assert verdict(work.runs[0]).startswith(f"FAILED: no resolved notification in {CHANNEL}")


def test_an_alert_that_still_fires_from_an_earlier_drill_is_reported_and_does_not_fail() -> None:
    stack = Stack(firing=["A"])
    stack.notify("A", "firing", at=time.time() - 600)
    runs = drilled(stack, "A", "B", window=3600)

    assert runs["A"].ok
    assert runs["B"].ok
    assert "+A" not in stack.log
    assert verdict(runs["A"]) == "still fires from an earlier drill, whose notifications arrived (window 1h)"


def test_an_alert_that_fires_before_the_drill_without_a_notification_fails() -> None:
    run = drilled(Stack(firing=["A"]), "A", window=3600)["A"]

    assert verdict(run) == f"FAILED: it still fires from an earlier drill, but {CHANNEL} got no notification of it"


def test_a_delivery_to_a_channel_without_a_route_fails() -> None:
    stack = Stack()
    stack.strays = ["elsewhere"]
    run = drilled(stack, "A")["A"]

    assert verdict(run) == "FAILED: also delivered to elsewhere, although no route sends it there"


def test_heartbeats_prove_the_alert_that_always_fires() -> None:
    stack = Stack()
    now = time.time()
    for at in (now - 30, now - 20, now - 9):
        stack.notify("Watchdog", "firing", at=at)
    runs = drilled(stack, "A", "Watchdog")

    assert stack.log == ["+A", "-A"], "Watchdog has no fault"
    assert runs["A"].ok
    assert runs["Watchdog"].ok
    assert verdict(runs["Watchdog"]) == "3 heartbeats arrived, longest gap 11 s"


def test_a_long_silence_fails_the_alert_that_always_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "LONGEST_SILENCE", 10.0)
    stack = Stack()
    now = time.time()
    for at in (now - 20, now - 5):
        stack.notify("Watchdog", "firing", at=at)
    run = drilled(stack, "Watchdog")["Watchdog"]

    assert verdict(run) == "FAILED: no heartbeat for 15 s; allowed: 10 s"


def test_no_second_heartbeat_fails_the_alert_that_always_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "LONGEST_SILENCE", 0.05)
    stack = Stack()
    stack.notify("Watchdog", "firing")
    run = drilled(stack, "Watchdog")["Watchdog"]

    assert verdict(run) == f"FAILED: 1 heartbeats arrived at {CHANNEL}; expected: 2 or more"


def test_other_alerts_are_noted() -> None:
    stack = Stack()
    work = Drill([plan("A")], services(stack), FILES)
    stack.notify("Other", "firing", at=time.time() - 2)

    def later() -> None:
        if "A" in stack.on:
            stack.notify("Another", "firing")

    work.run(on_tick=later)
    assert work.others == {"Another"}, "only notifications after the first fault count"


class Platform:
    """Platform faults, of which the given ones cannot be ended."""

    def __init__(self, left: dict[str, str]) -> None:
        self.left = left

    def end_all(self) -> dict[str, str]:
        return self.left


LEFT = cast(PlatformFaults, Platform({"GrafanaDown": "kubectl -n observability scale deployment/grafana"}))


def test_a_fault_that_could_not_be_repaired_is_printed_and_an_error() -> None:
    text = Console(file=StringIO(), width=60, record=True)
    with pytest.raises(typer.Exit) as raised, fire_alerts.repaired(text, LEFT):
        pass

    assert "kubectl -n observability scale deployment/grafana" in text.export_text()
    assert raised.value.exit_code == 1


def test_a_fault_that_could_not_be_repaired_is_also_printed_after_an_error() -> None:
    text = Console(file=StringIO(), width=60, record=True)
    with pytest.raises(OpsError, match="does not answer"), fire_alerts.repaired(text, LEFT):
        raise OpsError("Prometheus does not answer")

    assert "kubectl -n observability scale deployment/grafana" in text.export_text()


def test_nothing_is_printed_when_all_faults_are_repaired() -> None:
    text = Console(file=StringIO(), width=60, record=True)
    with fire_alerts.repaired(text, cast(PlatformFaults, Platform({}))):
        pass
    with fire_alerts.repaired(text, None):
        pass
    assert text.export_text() == ""
