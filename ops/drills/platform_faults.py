"""Causes the faults behind alerts that no simulator can, in a test cluster through the Kubernetes API, and ends them.

One idempotent call ends each fault. It needs only the state in the cluster, so the next drill can end the faults of a
drill that was killed.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ops.clients.cluster_api import ClusterApi
from ops.clients.signals import Prometheus, Receiver
from ops.drills.lanes import GONE
from ops.errors import OpsError
from settings.apps import SIMULATED

_PATIENCE = 180.0
"""Seconds for a fault to be in place; the kubelet mounts a changed ConfigMap within about a minute and a half."""
_RETRY = 30.0
"""Seconds for which ending a fault is retried, because the API server may be restarting."""
_PAUSE = 1.0
_REJECTED = 300
"""Deliveries to reject; more than Alertmanager attempts while the fault is on."""
_RULES = "prometheus-rules"
_EXTRA_RULES = "fire-alerts.yaml"
_NO_RULES = "groups: []\n"
_RELOAD_FAILED = "prometheus_config_last_reload_successful == 0"
_TARGET = "fire-alerts-target"
_CRASHING = "fire-alerts-crash"
_SCALED = {"GrafanaDown": ("Deployment", "grafana"), "LokiIngestionStopped": ("StatefulSet", "loki")}
"""Maps alerts to programs of the platform that are scaled to 0."""


@dataclass(frozen=True, kw_only=True)
class _Fault:
    place: str
    """What the fault changes, as text."""
    cause: Callable[[], None]
    in_place: Callable[[], bool]
    in_place_text: str
    """What `in_place` checks, as text."""
    restore: Callable[[], bool]
    """Ends the fault and returns whether there was one. Idempotent; may be called without a fault."""
    repair: Callable[[], str]
    """Returns the command with which a person can end the fault."""
    ends_when_in_place: bool = False
    """Whether the fault must end before its alert can be delivered."""


class PlatformFaults:
    """Faults by alert; see ops.drills.faults.FaultSource."""

    def __init__(
        self,
        api: ClusterApi,
        prometheus: Prometheus,
        receiver: Receiver,
        *,
        patience: float = _PATIENCE,
        retry: float = _RETRY,
        pause: float = _PAUSE,
    ) -> None:
        """Times in seconds: for a fault to be in place, for retrying to end one, and between two checks."""
        self._api = api
        self._prometheus = prometheus
        self._receiver = receiver
        self._patience = patience
        self._retry = retry
        self._pause = pause
        self._active: dict[str, _Fault] = {}
        self._absent_at = 0.0
        self._faults = {
            # A pod with scrape annotations that listens on no port.
            "TargetDown": self._pod(
                _TARGET,
                "import time; time.sleep(3600)",
                {"prometheus.io/scrape": "true", "prometheus.io/port": "9"},
                lambda: _phase(api.pods(_TARGET)) == "Running",
                "the pod runs",
            ),
            "PodCrashLooping": self._pod(
                _CRASHING,
                "raise SystemExit('made to crash by fire-alerts')",
                {},
                lambda: _crash_loops(api.pods(_CRASHING)),
                "the pod waits to be started again",
            ),
            "AlertmanagerNotificationsFailing": self._rejection(),
            **{alert: self._scaled_to_zero(*where) for alert, where in self._scaled().items()},
            "PrometheusConfigReloadFailed": self._extra_rules("groups: not a list\n", _RELOAD_FAILED),
            "PrometheusRuleFailures": self._extra_rules(
                # Valid syntax, but the evaluation fails, because both sides have many series.
                "groups: [{name: fire-alerts, rules: [{alert: FireAlertsDrill, expr: up * on () up > 2}]}]\n",
                "increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
            ),
        }

    def faults(self) -> list[dict[str, Any]]:
        """The faults that can be caused in this cluster; excludes those of apps that do not run here."""
        absent = self.absent()
        return [{"alert": alert} for alert in self._faults if alert not in absent]

    def absent(self) -> dict[str, str]:
        """Maps alerts whose fault cannot be caused in this cluster to the reason."""
        reasons: dict[str, str] = {}
        for alert, (api, kind, name) in self._scaled().items():
            if alert in self._active:
                continue
            replicas = api.replicas(kind, name)
            if replicas is None:
                reasons[alert] = f"this stack runs no {name}"
            elif not replicas:
                reasons[alert] = f"{kind} {name} is already scaled to 0"
        return reasons

    def switch_on(self, alert: str, *, seconds: float) -> float:  # noqa: ARG002 -- the cluster has no time limit
        """Cause the fault and wait until it is in place.

        Returns the time of the last check at which it was not in place, in epoch seconds of this machine's clock.
        Raises OpsError if it cannot be caused; it is then ended, or `end_all` reports that it could not be.
        """
        if alert in self._active:
            return time.time()
        fault = self._active[alert] = self._faults[alert]
        self._absent_at = time.time()
        try:
            fault.cause()
            self._wait(fault.in_place_text, fault.in_place)
            if fault.ends_when_in_place:
                self._retried(fault)
        except BaseException:
            with suppress(OpsError):  # the fault then stays active, so that `end_all` retries and reports it
                self.switch_off(alert)
            raise
        return self._absent_at

    def switch_off(self, alert: str) -> float:
        """End the fault, with retries. Raises OpsError if that fails; the fault is then still on."""
        if fault := self._active.get(alert):
            self._retried(fault)
            del self._active[alert]
        return time.time()

    def end_all(self) -> dict[str, str]:
        """End all active faults. Maps each alert whose fault could not be ended to the command that repairs it."""
        for alert in list(self._active):
            with suppress(OpsError):
                self.switch_off(alert)
        return {alert: fault.repair() for alert, fault in self._active.items()}

    def recover(self) -> list[str]:
        """End the faults that a killed drill left on. Returns what was repaired. Raises OpsError."""
        repaired = [fault.place for fault in self._faults.values() if self._retried(fault)]
        return list(dict.fromkeys(repaired))

    def _pod(
        self, name: str, script: str, annotations: dict[str, str], in_place: Callable[[], bool], in_place_text: str
    ) -> _Fault:
        def cause() -> None:
            # The name of a deleted pod stays in use for a moment.
            self._wait(f"pod {name} is gone", lambda: not self._api.pods(name))
            self._api.create_pod(name, script=script, annotations=annotations)

        def restore() -> bool:
            left = bool(self._api.pods(name))
            self._api.delete_pod(name)
            return left

        return _Fault(
            place=f"pod {name}",
            cause=cause,
            in_place=in_place,
            in_place_text=in_place_text,
            restore=restore,
            repair=lambda: f"kubectl -n {self._api.namespace} delete pod {name}",
        )

    def _rejection(self) -> _Fault:
        """The receiver rejects deliveries until Alertmanager gives up on one; it must then accept the alert about that.

        Alertmanager gives up on the heartbeat of Watchdog first, and sends the rejected notifications again later.
        """
        query = "sum(increase(alertmanager_notifications_failed_total[1m])) > 0"

        def restore() -> bool:
            self._receiver.fail_next(0)
            return False  # the receiver does not report how many rejections were left

        return _Fault(
            place="the receiver's rejections",
            cause=lambda: self._receiver.fail_next(_REJECTED),
            in_place=lambda: bool(self._prometheus.query(query)),
            in_place_text=f"Prometheus has a result for {query}",
            restore=restore,
            repair=lambda: "kubectl -n receiver rollout restart deployment/receiver",
            ends_when_in_place=True,
        )

    def _scaled(self) -> dict[str, tuple[ClusterApi, str, str]]:
        """Maps alerts to the namespace, kind and name of what is scaled to 0."""
        found = {alert: (self._api, kind, name) for alert, (kind, name) in _SCALED.items()}
        for alert, system in GONE.items():
            one = SIMULATED[system]
            found[alert] = (self._api.within(one.namespace), "Deployment", one.programs[0].app)
        return found

    def _scaled_to_zero(self, api: ClusterApi, kind: str, name: str) -> _Fault:
        """Scales an app to 0 and later back; an annotation in the cluster stores the original number of replicas."""

        wanted = 0

        def cause() -> None:
            nonlocal wanted
            wanted = api.replicas(kind, name) or 0
            if not wanted:
                raise OpsError(f"{kind} {name} does not run in this stack")
            api.scale(kind, name, 0, before=wanted)

        def restore() -> bool:
            before = api.replicas_before(kind, name)
            if before is None:
                return False
            nonlocal wanted
            wanted = before
            api.scale(kind, name, before, before=None)
            return True

        return _Fault(
            place=f"{kind} {name}",
            cause=cause,
            # A pod that is ending may need half a minute, and answers nobody meanwhile.
            in_place=lambda: all("deletionTimestamp" in pod["metadata"] for pod in api.pods(name)),
            in_place_text=f"every pod of {name} is ending",
            restore=restore,
            repair=lambda: f"kubectl -n {api.namespace} scale {kind.lower()}/{name} --replicas={wanted}",
        )

    def _extra_rules(self, text: str, query: str) -> _Fault:
        """Adds a faulty file to the deployed rules until the result of `query` shows its effect."""

        def restore() -> bool:
            left = _EXTRA_RULES in self._api.config_map(_RULES)
            if left:
                # Prometheus reloads files only if they differ from the last ones that it loaded successfully. Without
                # this intermediate version the original files would look unchanged, and it would keep reporting the
                # failed reload.
                self._api.patch_config_map(_RULES, {_EXTRA_RULES: _NO_RULES})
                try:
                    with suppress(OpsError):
                        self._wait("Prometheus reloaded its rules", lambda: not self._prometheus.query(_RELOAD_FAILED))
                finally:
                    self._api.patch_config_map(_RULES, {_EXTRA_RULES: None})
            return left

        return _Fault(
            place=f"{_EXTRA_RULES} in ConfigMap {_RULES}",
            cause=lambda: self._api.patch_config_map(_RULES, {_EXTRA_RULES: text}),
            in_place=lambda: bool(self._prometheus.query(query)),
            in_place_text=f"Prometheus has a result for {query}",
            restore=restore,
            repair=lambda: (
                f"kubectl -n {self._api.namespace} patch configmap {_RULES} "
                f"""-p '{{"data": {{"{_EXTRA_RULES}": null}}}}'"""
            ),
        )

    def _retried(self, fault: _Fault) -> bool:
        deadline = time.monotonic() + self._retry
        while True:
            try:
                return fault.restore()
            except OpsError as error:
                if time.monotonic() > deadline:
                    raise OpsError(f"{fault.place} is not repaired: {error}; to repair: {fault.repair()}") from error
            time.sleep(self._pause)

    def _wait(self, condition_text: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._patience
        while True:
            checked = time.time()
            if condition():
                return
            self._absent_at = checked
            if time.monotonic() > deadline:
                raise OpsError(f"the fault is not in place after {self._patience:.0f} s; expected: {condition_text}")
            time.sleep(self._pause)


def _phase(pods: list[dict[str, Any]]) -> str | None:
    return pods[0].get("status", {}).get("phase") if pods else None


def _crash_loops(pods: list[dict[str, Any]]) -> bool:
    return any(
        container.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
        for pod in pods
        for container in pod.get("status", {}).get("containerStatuses") or []
    )
