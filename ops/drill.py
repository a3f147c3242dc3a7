"""Makes alerts fire in a running stack and watches what is delivered. Knows no terminal and no cluster, only URLs."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ops.clients import Alertmanager, Delivery, Prometheus, Receiver, Simulator
from ops.errors import OpsError
from ops.faults import FaultSource
from ops.log_rules import LogRules
from ops.plan import SYSTEMS, AlertPlan, Content
from rules.model import Engine

TICK = 0.5
"""Seconds between two looks at the receiver; the times reported are the receiver's own, not ours."""
# Alertmanager removes the empty group of a resolved alert every 30 s (dispatch.go, maintenance). An alert that comes
# back before that waits for group_interval instead of group_wait.
GROUP_REMOVED_AFTER = 35.0
LONGEST_WINDOW = 300.0
"""Seconds: the longest rate window that must empty before a condition is false again."""
SLACK = 60.0
"""Seconds on top of what the settings explain before an expected notification counts as missing."""
_NAMES: dict[Engine, str] = {"prometheus": "Prometheus", "loki": "Loki"}
LONGEST_DRILL = 1800.0
"""Seconds: the longest a fault may stay on (the simulator ends it by then)."""


class Stage(StrEnum):
    """Where one alert's drill stands."""

    QUIET = "waiting until it is quiet"
    FIRING = "fault on, waiting for delivery"
    RESOLVING = "fault off, waiting for resolved"
    DONE = "done"
    FAILED = "failed"


@dataclass(kw_only=True)
class Run:
    """The drill of one alert. Times are in seconds since the epoch, by the clocks of the cluster."""

    plan: AlertPlan
    stage: Stage = Stage.QUIET
    fault_on: float | None = None
    fault_off: float | None = None
    fired: dict[str, float] = field(default_factory=dict[str, float])
    """Channel -> when its first firing notification was received."""
    resolved: dict[str, float] = field(default_factory=dict[str, float])
    problems: list[str] = field(default_factory=list[str])
    deadline: float = 0.0

    @property
    def delivery_seconds(self) -> float | None:
        """From the fault to the slowest channel's notification; None while one is missing."""
        if self.fault_on is None or set(self.fired) < set(self.plan.channels):
            return None
        return max(self.fired[channel] for channel in self.plan.channels) - self.fault_on

    @property
    def resolve_seconds(self) -> float | None:
        """From the end of the fault to the slowest channel's resolved message; None without any."""
        if self.fault_off is None or not self.resolved or self.stage is not Stage.DONE:
            return None
        return max(self.resolved.values()) - self.fault_off

    @property
    def overhead(self) -> float | None:
        """Seconds above the sum of the waits; often below zero, because each wait is counted at its longest."""
        return None if self.delivery_seconds is None else self.delivery_seconds - self.plan.waits.allowed

    @property
    def late(self) -> bool:
        """Whether the delivery took longer than the quality bar allows."""
        return self.delivery_seconds is not None and self.delivery_seconds > self.plan.waits.limit

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.stage in (Stage.DONE, Stage.FAILED)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The four services of a stack that a drill talks to, and what causes its faults."""

    simulator: Simulator
    receiver: Receiver
    prometheus: Prometheus
    alertmanager: Alertmanager
    source: FaultSource | None = None
    """None for the simulator's switches alone."""
    log_rules: LogRules | None = None
    """Who evaluates the alerts on log lines; None where no such alert is drilled."""

    def alert_rules(self, engine: Engine) -> dict[str, dict[str, Any]]:
        """The rules that this engine evaluates at present; see Prometheus.alert_rules."""
        if engine == "prometheus":
            return self.prometheus.alert_rules()
        return self.log_rules.alert_rules() if self.log_rules else {}

    @property
    def faults(self) -> FaultSource:
        """Whoever causes the faults."""
        return self.source or self.simulator


class Drill:
    """Runs the plans: all at once, or one after the other, or some of them at once and the others alone."""

    def __init__(self, plans: Iterable[AlertPlan], services: Services, files: Content, *, slack: float = SLACK) -> None:
        """Nothing happens before `run`. `slack` is in seconds, see SLACK."""
        self.runs = [Run(plan=plan) for plan in plans]
        self._services = services
        self._files = files
        self._slack = slack
        self._since = time.time() - GROUP_REMOVED_AFTER
        self.others: set[str] = set()
        """Alerts that were delivered meanwhile and are no part of this drill."""

    def run(self, *, alone: Collection[str] = (), on_tick: Callable[[], None] = lambda: None) -> None:
        """Drill every alert, those named in `alone` after the others and one by one.

        Every fault is switched off when this returns or raises; one that could not be is a problem of its run.
        """
        self._check_switches()
        together = [run for run in self.runs if run.plan.alert not in alone]
        batches = [together, *([run] for run in self.runs if run.plan.alert in alone)]
        try:
            for batch in batches:
                for run in batch:
                    run.deadline = time.time() + self._resolve_patience(run)
                while not all(run.ended for run in batch):
                    self._tick(batch)
                    on_tick()
                    time.sleep(TICK)
        finally:
            self._switch_all_off()

    def _check_switches(self) -> None:
        known = {fault["alert"] for fault in self._services.faults.faults()}
        missing = [run.plan.alert for run in self.runs if run.plan.alert not in known]
        if missing:
            raise OpsError(
                f"nothing here can cause {', '.join(missing)}: it does not run in this stack, or the simulator's image "
                "is older than this checkout"
            )

    def _tick(self, batch: list[Run]) -> None:
        deliveries = self._services.receiver.deliveries(self._since)
        self._note_others(deliveries)
        rules: dict[Engine, dict[str, dict[str, Any]]] = {}
        for run in batch:
            match run.stage:
                case Stage.QUIET:
                    engine = run.plan.engine
                    if engine not in rules:
                        rules[engine] = self._services.alert_rules(engine)
                    state = str(rules[engine].get(run.plan.alert, {}).get("state", "missing"))
                    self._begin_when_quiet(run, deliveries, state)
                case Stage.FIRING:
                    self._watch_firing(run, deliveries)
                case Stage.RESOLVING:
                    self._watch_resolving(run, deliveries)
                case Stage.DONE | Stage.FAILED:
                    pass

    def _begin_when_quiet(self, run: Run, deliveries: list[Delivery], state: str) -> None:
        """Switch the fault on once nothing of an earlier firing is left that would blur the measurement."""
        name = run.plan.alert
        reasons: list[str] = []
        if state != "inactive":
            reasons.append(f"{_NAMES[run.plan.engine]} has it as {state}")
        if self._services.alertmanager.alerts(f'alertname="{name}"'):
            reasons.append("Alertmanager still holds it")
        told = [one.received_at for one in deliveries if any(alert["alertname"] == name for alert in one.alerts)]
        if told and time.time() - max(told) < GROUP_REMOVED_AFTER:
            reasons.append("it was notified a moment ago")
        if not self._is_scraped(run):
            reasons.append("its metrics are not there yet")
        if not reasons:
            try:
                run.fault_on = self._services.faults.switch_on(name, seconds=LONGEST_DRILL)
            except OpsError as error:
                self._fail(run, f"the fault could not be caused: {error}")
                return
            run.stage = Stage.FIRING
            run.deadline = time.time() + run.plan.waits.limit + self._slack
        elif time.time() > run.deadline:
            self._fail(run, f"not quiet before the drill: {'; '.join(reasons)}")

    def _is_scraped(self, run: Run) -> bool:
        # A rate sees a fault only against an earlier sample of the same series.
        metric = SYSTEMS[run.plan.labels["system"]]
        samples = f"count_over_time({metric}[10m]) and {metric}"
        values = [float(series["value"][1]) for series in self._services.prometheus.query(samples)]
        return bool(values) and min(values) >= 2

    def _watch_firing(self, run: Run, deliveries: list[Delivery]) -> None:
        assert run.fault_on is not None  # noqa: S101 -- set where the stage began
        for one in deliveries:
            if one.received_at >= run.fault_on and one.about(run.plan.alert, "firing"):
                run.fired.setdefault(self._files.channel_of(one), one.received_at)
        missing = [channel for channel in run.plan.channels if channel not in run.fired]
        if not missing:
            run.stage = Stage.RESOLVING
            self._switch_off(run)
            run.deadline = time.time() + self._resolve_patience(run)
        elif time.time() > run.deadline:
            self._fail(run, f"no firing notification in {', '.join(missing)}: {self._diagnosis(run)}")

    def _watch_resolving(self, run: Run, deliveries: list[Delivery]) -> None:
        assert run.fault_on is not None  # noqa: S101 -- set where the stage before began
        for one in deliveries:
            if one.received_at >= run.fault_on and one.about(run.plan.alert, "firing"):
                run.fired.setdefault(self._files.channel_of(one), one.received_at)
            if one.received_at >= run.fault_on and one.about(run.plan.alert, "resolved"):
                run.resolved.setdefault(self._files.channel_of(one), one.received_at)
        wanted = [channel for channel in run.plan.channels if self._files.resolves(channel)]
        missing = [channel for channel in wanted if channel not in run.resolved]
        if not missing:
            self._finish(run)
        elif time.time() > run.deadline:
            self._fail(run, f"no resolved notification in {', '.join(missing)}: {self._diagnosis(run)}")

    def _finish(self, run: Run) -> None:
        strays = sorted(set(run.fired) - set(run.plan.channels))
        run.stage = Stage.DONE
        if strays:
            self._fail(run, f"also delivered to {', '.join(strays)}, where no route sends it")

    def _fail(self, run: Run, problem: str) -> None:
        run.problems.append(problem)
        run.stage = Stage.FAILED
        self._switch_off(run)

    def _switch_off(self, run: Run) -> None:
        if run.fault_on is None or run.fault_off is not None:
            return
        try:
            run.fault_off = self._services.faults.switch_off(run.plan.alert)
        except OpsError as error:
            # The drills of the others go on; at the end it is tried once more.
            run.stage = Stage.FAILED
            run.problems.append(f"its fault could not be switched off: {error}")

    def _note_others(self, deliveries: list[Delivery]) -> None:
        drilled = {run.plan.alert for run in self.runs}
        begun = min((run.fault_on for run in self.runs if run.fault_on is not None), default=None)
        if begun is None:
            return
        for one in deliveries:
            if one.received_at >= begun and one.status == "firing":
                self.others |= {alert["alertname"] for alert in one.alerts} - drilled - {"Watchdog"}

    def _resolve_patience(self, run: Run) -> float:
        waits = run.plan.waits
        window = max(LONGEST_WINDOW, run.plan.window)
        return window + waits.scrape + waits.evaluation + waits.group_interval + self._slack

    def _diagnosis(self, run: Run) -> str:
        """How far the alert got: the first place where it stopped."""
        name = run.plan.alert
        engine = run.plan.engine
        state = self._services.alert_rules(engine).get(name, {}).get("state", "missing")
        held = self._services.alertmanager.alerts(f'alertname="{name}"')
        for alert in held:
            status = alert["status"]
            if status["silencedBy"]:
                return f"Alertmanager holds it silenced by {', '.join(status['silencedBy'])}"
            if status["inhibitedBy"]:
                return f"Alertmanager holds it muted by another alert ({', '.join(status['inhibitedBy'])})"
        if held:
            return "Alertmanager holds it; its own log says what the notification's receiver answered"
        return f"{_NAMES[engine]} has it as {state}, Alertmanager does not hold it"

    def _switch_all_off(self) -> None:
        for run in self.runs:
            self._switch_off(run)
