"""Faults behind the platform's own alerts, caused in a test cluster through the Kubernetes API, and ended again.

Each is restored by one call that may be repeated, also by the next drill when this one was killed: what a fault changes
is found in the cluster, not remembered here.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ops.clients.cluster_api import ClusterApi
from ops.clients.signals import Prometheus, Receiver
from ops.errors import OpsError

_PATIENCE = 180.0
"""Seconds for a fault to be in place: the kubelet brings a changed ConfigMap within about a minute and a half."""
_RETRY = 30.0
"""Seconds for which ending a fault is tried again: an API server may just be restarted."""
_PAUSE = 1.0
_REFUSED = 300
"""Deliveries: more than Alertmanager tries while the fault is on."""
_RULES = "prometheus-rules"
_EXTRA_RULES = "fire-alerts.yaml"
_NO_RULES = "groups: []\n"
_UNREAD = "prometheus_config_last_reload_successful == 0"
_TARGET = "fire-alerts-target"
_CRASHING = "fire-alerts-crash"
_SCALED = {"GrafanaDown": ("Deployment", "grafana"), "LokiIngestionStopped": ("StatefulSet", "loki")}


@dataclass(frozen=True, kw_only=True)
class _Fault:
    place: str
    """What it changes, for people."""
    cause: Callable[[], None]
    there: Callable[[], bool]
    is_there: str
    """What `there` waits for, for people."""
    restore: Callable[[], bool]
    """Ends it, and says whether there was something to end. May be called again, also when it was never caused."""
    repair: Callable[[], str]
    """The command with which a person ends it."""
    ends_when_there: bool = False
    """Whether it has to end for its alert to be delivered."""


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
        """Times in seconds: for a fault to be in place, for trying again to end one, and between two looks."""
        self._api = api
        self._prometheus = prometheus
        self._receiver = receiver
        self._patience = patience
        self._retry = retry
        self._pause = pause
        self._active: dict[str, _Fault] = {}
        self._absent_at = 0.0
        self._faults = {
            # A pod that wants to be scraped and listens nowhere.
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
            "AlertmanagerNotificationsFailing": self._refusal(),
            **{alert: self._scaled_to_zero(kind, name) for alert, (kind, name) in _SCALED.items()},
            "PrometheusConfigReloadFailed": self._extra_rules("groups: this is no list\n", _UNREAD),
            "PrometheusRuleFailures": self._extra_rules(
                # Many series on both sides: readable, but not computable.
                "groups: [{name: fire-alerts, rules: [{alert: FireAlertsDrill, expr: up * on () up > 2}]}]\n",
                "increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
            ),
        }

    def faults(self) -> list[dict[str, Any]]:
        """What can be caused in this cluster; a part that does not run here cannot go down."""
        absent = self.absent()
        return [{"alert": alert} for alert in self._faults if alert not in absent]

    def absent(self) -> dict[str, str]:
        """Alerts whose fault cannot be caused in this cluster -> why."""
        reasons: dict[str, str] = {}
        for alert, (kind, name) in _SCALED.items():
            if alert in self._active:
                continue
            replicas = self._api.replicas(kind, name)
            if replicas is None:
                reasons[alert] = f"this stack runs no {name}"
            elif not replicas:
                reasons[alert] = f"somebody scaled {kind} {name} to 0"
        return reasons

    def switch_on(self, alert: str, *, seconds: float) -> float:  # noqa: ARG002 -- the cluster keeps no clock for us
        """Cause it and wait until it is there; the last time it was not, in epoch seconds of this machine's clock.

        Raises OpsError when it cannot be caused; then it is ended again, or `end_all` says what is left of it.
        """
        if alert in self._active:
            return time.time()
        fault = self._active[alert] = self._faults[alert]
        self._absent_at = time.time()
        try:
            fault.cause()
            self._wait(fault.is_there, fault.there)
            if fault.ends_when_there:
                self._retried(fault)
        except BaseException:
            with suppress(OpsError):  # then it stays active, and `end_all` tries again and tells
                self.switch_off(alert)
            raise
        return self._absent_at

    def switch_off(self, alert: str) -> float:
        """End it, trying again for a while. Raises OpsError when the cluster does not take it; it is then still on."""
        if fault := self._active.get(alert):
            self._retried(fault)
            del self._active[alert]
        return time.time()

    def end_all(self) -> dict[str, str]:
        """End what is still on; alert -> the command with which a person ends what could not be ended."""
        for alert in list(self._active):
            with suppress(OpsError):
                self.switch_off(alert)
        return {alert: fault.repair() for alert, fault in self._active.items()}

    def recover(self) -> list[str]:
        """End what an earlier drill left because it was killed; the places that were repaired. Raises OpsError."""
        repaired = [fault.place for fault in self._faults.values() if self._retried(fault)]
        return list(dict.fromkeys(repaired))

    def _pod(
        self, name: str, script: str, annotations: dict[str, str], there: Callable[[], bool], is_there: str
    ) -> _Fault:
        def cause() -> None:
            # One that was just removed keeps its name for a moment.
            self._wait(f"pod {name} is gone", lambda: not self._api.pods(name))
            self._api.create_pod(name, script=script, annotations=annotations)

        def restore() -> bool:
            left = bool(self._api.pods(name))
            self._api.delete_pod(name)
            return left

        return _Fault(
            place=f"pod {name}",
            cause=cause,
            there=there,
            is_there=is_there,
            restore=restore,
            repair=lambda: f"kubectl -n {self._api.namespace} delete pod {name}",
        )

    def _refusal(self) -> _Fault:
        """The receiver refuses, until Alertmanager has given up a notification; then it must hear of that.

        The heartbeat of Watchdog is what is given up first. What was refused is notified again later.
        """
        query = "sum(increase(alertmanager_notifications_failed_total[1m])) > 0"

        def restore() -> bool:
            self._receiver.fail_next(0)
            return False  # it does not say how many it still had to refuse

        return _Fault(
            place="the receiver's refusals",
            cause=lambda: self._receiver.fail_next(_REFUSED),
            there=lambda: bool(self._prometheus.query(query)),
            is_there=f"Prometheus answers {query}",
            restore=restore,
            repair=lambda: "kubectl -n receiver rollout restart deployment/receiver",
            ends_when_there=True,
        )

    def _scaled_to_zero(self, kind: str, name: str) -> _Fault:
        """Nothing of an app runs; afterwards as many as before, which is noted in the cluster itself."""

        wanted = 0

        def cause() -> None:
            nonlocal wanted
            wanted = self._api.replicas(kind, name) or 0
            if not wanted:
                raise OpsError(f"{kind} {name} does not run here")
            self._api.scale(kind, name, 0, before=wanted)

        def restore() -> bool:
            before = self._api.replicas_before(kind, name)
            if before is None:
                return False
            nonlocal wanted
            wanted = before
            self._api.scale(kind, name, before, before=None)
            return True

        return _Fault(
            place=f"{kind} {name}",
            cause=cause,
            there=lambda: not self._api.pods(name),
            is_there=f"no pod of {name} is left",
            restore=restore,
            repair=lambda: f"kubectl -n {self._api.namespace} scale {kind.lower()}/{name} --replicas={wanted}",
        )

    def _extra_rules(self, text: str, query: str) -> _Fault:
        """One more file beside the deployed rules, until Prometheus shows what it makes of it."""

        def restore() -> bool:
            left = _EXTRA_RULES in self._api.config_map(_RULES)
            if left:
                # Prometheus reads its files again when they differ from those that it last read well. Without a step
                # between it would take the old ones for known, and go on saying that it failed.
                self._api.patch_config_map(_RULES, {_EXTRA_RULES: _NO_RULES})
                try:
                    with suppress(OpsError):
                        self._wait("Prometheus has read its rules again", lambda: not self._prometheus.query(_UNREAD))
                finally:
                    self._api.patch_config_map(_RULES, {_EXTRA_RULES: None})
            return left

        return _Fault(
            place=f"{_EXTRA_RULES} in ConfigMap {_RULES}",
            cause=lambda: self._api.patch_config_map(_RULES, {_EXTRA_RULES: text}),
            there=lambda: bool(self._prometheus.query(query)),
            is_there=f"Prometheus answers {query}",
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
                    raise OpsError(f"{fault.place} is not repaired: {error}; to do it: {fault.repair()}") from error
            time.sleep(self._pause)

    def _wait(self, what: str, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._patience
        while True:
            looked = time.time()
            if there():
                return
            self._absent_at = looked
            if time.monotonic() > deadline:
                raise OpsError(f"the fault is not in place after {self._patience:.0f} s: not yet so that {what}")
            time.sleep(self._pause)


def _phase(pods: list[dict[str, Any]]) -> str | None:
    return pods[0].get("status", {}).get("phase") if pods else None


def _crash_loops(pods: list[dict[str, Any]]) -> bool:
    return any(
        container.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
        for pod in pods
        for container in pod.get("status", {}).get("containerStatuses") or []
    )
