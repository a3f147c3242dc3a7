"""Makes alerts fire in a running stack and watches the deliveries. Uses services by URL; needs no terminal."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ops.clients.signals import Delivery
from ops.drills import wait_times
from ops.drills.deployed import ALWAYS_FIRES, Content
from ops.drills.lanes import Order, ordered
from ops.drills.plan import AlertPlan
from ops.drills.services import NAMES, Deliveries, Observation, Services, diagnosis
from ops.drills.stages import Run, Stage
from ops.errors import OpsError

TICK = 2.0
"""Seconds between two polls of the receiver; the reported times are from the receiver's clock.

A poll reads every rule, for some 20 ms of CPU.
"""
# Alertmanager removes the empty group of a resolved alert every 30 s (dispatch.go, maintenance). If the alert fires
# again before that, it waits for group_interval instead of group_wait.
GROUP_REMOVED_AFTER = 35.0
LEEWAY = 60.0
"""Seconds beyond the expected waits after which a notification counts as missing."""
LONGEST_DRILL = 1800.0
"""Maximum seconds for which a fault stays on; the simulator then ends it."""
LONGEST_SILENCE = 300.0
"""Seconds without a heartbeat after which a dead man's switch may raise the alarm."""
_HEARTBEATS = 2
"""A second heartbeat shows that the notification is repeated."""


class Drill:
    """Runs the plans. ops/drills/lanes.py decides which of them may run at the same time."""

    def __init__(
        self,
        plans: Iterable[AlertPlan],
        services: Services,
        files: Content,
        *,
        leeway: float = LEEWAY,
        longest_window: float = wait_times.LONGEST_RANGE,
        inhibitions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Starts nothing; see `run`. `leeway`: see LEEWAY. `longest_window`: seconds; the drill does not wait for an
        alert with a longer window to resolve. `inhibitions`: the `inhibit_rules` of Alertmanager.
        """
        self.runs = ordered(Run(plan=plan) for plan in plans)
        self.began = time.time()
        self._services = services
        self._files = files
        self._leeway = leeway
        self._longest_window = longest_window
        self._inhibitions = inhibitions
        self._deliveries = Deliveries(services.receiver, self.began - GROUP_REMOVED_AFTER)
        self.others: set[str] = set()
        """Alerts outside this drill that were delivered while it ran."""

    def run(
        self, *, alone: Collection[str] = (), serial: bool = False, on_tick: Callable[[], None] = lambda: None
    ) -> None:
        """Drill every alert: those in `alone` while no other fault is on, with `serial` all one after the other.

        Switches every fault off before it returns or raises. A failure to do so becomes a problem of the run.
        """
        self._check_switches()
        faults = [run for run in self.runs if run.plan.alert != ALWAYS_FIRES]
        order = Order(faults, alone=alone, serial=serial, inhibitions=self._inhibitions)
        for run in self.runs:
            if run.plan.alert == ALWAYS_FIRES:
                run.stage = Stage.LISTENING
                run.deadline = time.time() + LONGEST_SILENCE
        try:
            while not all(run.ended for run in self.runs):
                self._tick(order)
                on_tick()
                time.sleep(TICK)
        finally:
            for run in self.runs:
                self._switch_off(run)

    def _check_switches(self) -> None:
        known = {fault["alert"] for fault in self._services.source.faults()} | {ALWAYS_FIRES}
        missing = [run.plan.alert for run in self.runs if run.plan.alert not in known]
        if missing:
            raise OpsError(
                f"this drill cannot cause {', '.join(missing)}: its program does not run in this stack, or the "
                "simulator's image is older than this checkout"
            )

    def _tick(self, order: Order) -> None:
        news = self._deliveries.news()
        self._note_others(news)
        now = Observation(self._services)
        for run in self.runs:
            match run.stage:
                case Stage.QUEUED | Stage.QUIET:
                    if order.may_begin(run):
                        self._begin_when_quiet(run, now)
                case Stage.FIRING:
                    self._watch_firing(run, news)
                case Stage.RESOLVING:
                    self._watch_resolving(run, news, now)
                case Stage.LISTENING:
                    self._listen(run, news)
                case Stage.DONE | Stage.FAILED:
                    pass

    def _begin_when_quiet(self, run: Run, now: Observation) -> None:
        """Switch the fault on once no trace of an earlier firing is left that would falsify the measurement."""
        name = run.plan.alert
        if run.stage is Stage.QUEUED:
            run.stage = Stage.QUIET
            run.deadline = time.time() + self._resolve_patience(run)
        state = now.state(run.plan.engine, name)
        if state == "firing" and run.plan.window > self._longest_window:
            self._use_earlier(run)
            return
        reasons: list[str] = []
        if state != "inactive":
            reasons.append(f"it is {state} in {NAMES[run.plan.engine]}")
        if now.is_held(name):
            reasons.append("Alertmanager still holds it")
        if time.time() - self._deliveries.last_notified(name) < GROUP_REMOVED_AFTER:
            reasons.append("it was notified a moment ago")
        if not now.is_scraped(run.plan.probe):
            reasons.append("its metrics do not exist yet")
        if not reasons:
            try:
                run.fault_on = self._services.source.switch_on(name, seconds=LONGEST_DRILL)
            except OpsError as error:
                self._fail(run, f"the fault could not be caused: {error}")
                return
            run.stage = Stage.FIRING
            run.deadline = time.time() + run.plan.waits.limit + self._leeway
        elif time.time() > run.deadline:
            self._fail(run, f"not ready for the drill: {'; '.join(reasons)}")

    def _use_earlier(self, run: Run) -> None:
        """Use the deliveries of an earlier drill: with its long window, the alert still fires from it."""
        run.earlier = True
        for one in self._services.receiver.deliveries(time.time() - run.plan.window):
            self._note(run, one, since=0.0)
        missing = self._missing(run)
        if missing:
            self._fail(run, f"it still fires from an earlier drill, but {missing} got no notification of it")
        else:
            run.stage = Stage.DONE

    def _watch_firing(self, run: Run, news: list[Delivery]) -> None:
        assert run.fault_on is not None  # noqa: S101 -- set where the stage began
        for one in news:
            self._note(run, one, since=run.fault_on)
        missing = self._missing(run)
        if not missing:
            run.stage = Stage.RESOLVING
            self._switch_off(run)
            run.not_awaited = run.plan.window > self._longest_window
            run.deadline = time.time() + self._resolve_patience(run)
        elif time.time() > run.deadline:
            self._fail(run, f"no firing notification in {missing}: {diagnosis(self._services, run.plan)}")

    def _watch_resolving(self, run: Run, news: list[Delivery], now: Observation) -> None:
        assert run.fault_on is not None  # noqa: S101 -- set where the stage before began
        for one in news:
            self._note(run, one, since=run.fault_on)
        wanted = [channel for channel in run.plan.channels if self._files.resolves(channel)]
        missing = [channel for channel in wanted if channel not in run.resolved]
        late = time.time() > run.deadline
        if run.not_awaited or (not missing and (late or not self._still_fires(run, now))):
            self._finish(run)
        elif missing and late:
            where = diagnosis(self._services, run.plan)
            self._fail(run, f"no resolved notification in {', '.join(missing)}: {where}")

    def _still_fires(self, run: Run, now: Observation) -> bool:
        """Whether an instance of the alert is left, which would mute others, although another instance is over."""
        return now.state(run.plan.engine, run.plan.alert) == "firing" or now.is_held(run.plan.alert)

    def _listen(self, run: Run, news: list[Delivery]) -> None:
        for one in news:
            self._note(run, one, since=0.0)
            if one.about(run.plan.alert, "firing") and one.receiver in run.plan.channels:
                run.heartbeats.append(one.received_at)
        others_ended = all(one.ended for one in self.runs if one is not run)
        gap = run.longest_gap or 0.0
        if others_ended and len(run.heartbeats) >= _HEARTBEATS:
            run.stage = Stage.DONE
            self._finish(run)
            if gap > LONGEST_SILENCE:
                self._fail(run, f"no heartbeat for {gap:.0f} s; allowed: {LONGEST_SILENCE:g} s")
        elif others_ended and time.time() > run.deadline:
            channels = ", ".join(run.plan.channels)
            self._fail(run, f"{len(run.heartbeats)} heartbeats arrived at {channels}; expected: {_HEARTBEATS} or more")

    def _note(self, run: Run, one: Delivery, *, since: float) -> None:
        if one.received_at < since:
            return
        for status, times in (("firing", run.fired), ("resolved", run.resolved)):
            if one.about(run.plan.alert, status):
                times.setdefault(one.receiver, one.received_at)

    def _missing(self, run: Run) -> str:
        return ", ".join(channel for channel in run.plan.channels if channel not in run.fired)

    def _finish(self, run: Run) -> None:
        strays = sorted(set(run.fired) - set(run.plan.channels))
        if run.stage is Stage.RESOLVING:
            run.stage = Stage.DONE
        if strays:
            self._fail(run, f"also delivered to {', '.join(strays)}, although no route sends it there")

    def _fail(self, run: Run, problem: str) -> None:
        run.problems.append(problem)
        run.stage = Stage.FAILED
        self._switch_off(run)

    def _switch_off(self, run: Run) -> None:
        if run.fault_on is None or run.fault_off is not None:
            return
        try:
            run.fault_off = self._services.source.switch_off(run.plan.alert)
        except OpsError as error:
            # The other drills go on; at the end, `run` tries again.
            run.stage = Stage.FAILED
            run.problems.append(f"its fault could not be switched off: {error}")

    def _note_others(self, news: list[Delivery]) -> None:
        drilled = {run.plan.alert for run in self.runs}
        begun = min((run.fault_on for run in self.runs if run.fault_on is not None), default=None)
        if begun is None:
            return
        for one in news:
            if one.received_at >= begun and one.status == "firing":
                self.others |= {str(alert["alertname"]) for alert in one.alerts} - drilled - {ALWAYS_FIRES}

    def _resolve_patience(self, run: Run) -> float:
        window = wait_times.until_empty(min(run.plan.window, self._longest_window))
        return window + run.plan.waits.to_resolve + self._leeway
