"""Decides which alerts of a drill may run at the same time: those whose faults do not disturb each other. Pure.

Nearly all start at once. The exceptions are alerts of which one mutes the other, faults of the platform itself (the
other drills need the platform), and faults that remove metrics which other alerts read.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from alerting.routing import notified
from ops.drills.stages import Run, Stage
from ops.drills.wait_times import ERROR_LOG_ANOMALOUS, ERROR_LOG_BURST
from settings.apps import SimulatedSystem

FIRST = "AlertmanagerNotificationsFailing"
"""Its fault blocks every notification, and its window is long. It therefore starts first, and the others wait until its
fault is over."""
MISSING_METRICS = "AlertsOnMissingMetrics"
LOKI_DOWN = "LokiIngestionStopped"
STALLED = "MediaClusterJobsStalled"
GONE: Mapping[str, SimulatedSystem] = {
    "ApiServiceDown": "api",
    "SpecCursorServiceDown": "speccursor",
    "MediaClusterDown": "media-clustering",
}
"""Maps alerts to the simulated system whose program is scaled to 0."""
_ONE_BY_ONE = {
    # Each fault writes lines that the other alert counts. The larger fault goes first, because the smaller one's lines
    # would also fire its alert.
    ERROR_LOG_ANOMALOUS: "error-logs",
    ERROR_LOG_BURST: "error-logs",
    # Failed uploads also burn the error budget of both SLO alerts.
    "MediaUploadFailureRateHigh": "failed-uploads",
    "MediaUploadAvailabilityBudgetBurnFast": "failed-uploads",
    "MediaUploadAvailabilityBudgetBurnSlow": "failed-uploads",
    # So do failed requests to the API server.
    "KubernetesApiErrorRateHigh": "failed-api-requests",
    "KubernetesApiAvailabilityBudgetBurnFast": "failed-api-requests",
    "KubernetesApiAvailabilityBudgetBurnSlow": "failed-api-requests",
    # What goes on has begun: the fault of the first also fires the second.
    "CollectorDroppingTelemetry": "losses",
    "TelemetryLost": "losses",
    # MediaClusterNoiseHigh needs finished runs; MediaClusterJobsStalled needs that no run finishes.
    "MediaClusterNoiseHigh": "cluster-runs",
    STALLED: "cluster-runs",
    # Both add a file to the rules, and the kubelet takes up to a minute and a half to mount a change.
    "PrometheusConfigReloadFailed": "prometheus-rules",
    "PrometheusRuleFailures": "prometheus-rules",
}
_SEVERITIES = ("info", "warning", "critical")
_LONG_RISE = 300.0
"""Seconds. A fault with a longer rise tolerates a short fault of the platform meanwhile."""


def ordered(runs: Iterable[Run]) -> list[Run]:
    """Sorts runs by the order within a lane: lower severity first, because a higher one would mute it."""

    def key(run: Run) -> tuple[bool, int, bool, float]:
        severity = run.plan.severity
        rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
        # AlertsOnMissingMetrics also fires when another fault removes metrics, so it goes before those.
        first = run.plan.alert in (FIRST, MISSING_METRICS)
        return (not first, rank, run.plan.alert in (LOKI_DOWN, STALLED), -run.plan.window)

    return sorted(runs, key=key)


class Order:
    """Decides which run may start next."""

    def __init__(
        self,
        runs: Iterable[Run],
        *,
        alone: Collection[str] = (),
        serial: bool = False,
        inhibitions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`alone`: alerts whose fault may only be on while no other fault is. `serial`: one drill after the other.

        `inhibitions`: the `inhibit_rules` of Alertmanager. Of two alerts of which one mutes the other, the one that
        resolves sooner is drilled first.
        """
        self._runs = ordered(runs)
        self._alone = frozenset(alone)
        self._serial = serial
        self._earlier = self._muting(inhibitions)

    def may_begin(self, run: Run) -> bool:
        """Whether this fault may be switched on now."""
        if self._serial:
            return all(one.ended for one in self._before(run))
        return self._free(run) and not self._disturbs(run)

    def _free(self, run: Run) -> bool:
        """Whether every run that must end before this one has ended."""
        if any(not one.ended for one in self._before(run) if lane(one) == lane(run)):
            return False
        if any(not one.ended for one in self._earlier.get(run.plan.alert, ())):
            return False
        return all(one.ended for one in self._runs if one is not run and _must_precede(one, run))

    def _muting(self, inhibitions: Sequence[Mapping[str, Any]]) -> dict[str, list[Run]]:
        """Maps an alert to the runs that must end before its own, because one of both mutes the other."""
        windows: dict[str, float] = {}
        for run in self._runs:
            windows[lane(run)] = max(run.plan.window, windows.get(lane(run), 0.0))
        # Lanes as a whole are in one order, so that no two of them wait for each other.
        free = [run for run in self._runs if run.plan.alert not in self._alone and not hides_metrics(run.plan.alert)]
        found: dict[str, list[Run]] = {}
        for one, run in itertools.permutations(free, 2):
            if (windows[lane(one)], lane(one)) < (windows[lane(run)], lane(run)) and any(
                notified.mutes(rule, *pair, from_rules=True)
                for rule in inhibitions
                for pair in ((one.plan.labels, run.plan.labels), (run.plan.labels, one.plan.labels))
            ):
                found.setdefault(run.plan.alert, []).append(one)
        return found

    def _disturbs(self, run: Run) -> bool:
        """Whether this run would disturb an active run, or an active run would disturb it."""
        others = [one for one in self._runs if one is not run]
        if any(one.stage is Stage.FIRING and one.plan.alert in self._alone for one in others):
            return True
        if any(one.stage is Stage.QUEUED and one.plan.alert == FIRST for one in others):
            return True
        if run.plan.alert not in self._alone:
            return False
        short = [one for one in others if one.plan.alert not in self._alone and one.plan.waits.rise < _LONG_RISE]
        if any(one.stage is Stage.FIRING for one in (others if run.plan.alert == FIRST else short)):
            return True
        return run.plan.alert != FIRST and any(one.waiting and self._free(one) for one in short)

    def _before(self, run: Run) -> list[Run]:
        return self._runs[: next(index for index, one in enumerate(self._runs) if one is run)]


def lane(run: Run) -> str:
    """Name of the run's lane. Alerts of one lane are drilled one after the other, each until it is resolved."""
    alert = run.plan.alert
    if hides_metrics(alert):
        return "missing-metrics"
    return _ONE_BY_ONE.get(alert) or f"{run.plan.system}/{run.plan.labels.get('subject', alert)}"


def hides_metrics(alert: str) -> bool:
    """Whether the alert's fault removes metrics."""
    return alert == MISSING_METRICS or alert.endswith("MetricsMissing")


def _must_precede(one: Run, run: Run) -> bool:
    """Whether `one` must end before `run` starts, because the fault of `run` removes data that `one` reads."""
    if run.plan.alert == LOKI_DOWN:
        return one.plan.engine == "loki"
    if run.plan.alert == MISSING_METRICS:
        return one.plan.system == "job-queue"
    if run.plan.alert in GONE:
        # The program that has the system's switches is gone, and so are the faults that were on.
        return one.plan.system == run.plan.system
    return hides_metrics(run.plan.alert) and one.plan.system.startswith("media") and not hides_metrics(one.plan.alert)
