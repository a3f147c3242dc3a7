"""Faults behind the platform's own alerts, caused in a test cluster through the Kubernetes API, and ended again."""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from ops.clients import Prometheus, Receiver
from ops.errors import OpsError

NOT_CAUSED = {
    "Watchdog": "always fires; its heartbeat at the dead man's switch is the proof",
    "PersistentVolumeFillingUp": "volumes of a local cluster share the node's disk: filling one would fill the machine",
    "PrometheusRemoteWriteBehind": "a test stack writes to no remote storage",
    "AlertmanagerClusterDegraded": "cutting Alertmanagers off from each other would notify every other alert twice",
    "CollectorDroppingTelemetry": "queues hold an outage for far longer than a drill takes",
    "CollectorQueueNearlyFull": "queues hold an outage for far longer than a drill takes",
    "LokiRequestErrors": "Loki cannot be told to fail requests from outside",
    "JaegerStorageErrors": "Jaeger's store on its own disk cannot be told to fail from outside",
    "AlertsOnMissingMetrics": "wants a metric to be missing for an hour",
}
"""Platform alerts that no drill causes -> why. tests/rules proves that these fire."""

_PATIENCE = 180.0
"""Seconds for a fault to be in place: the kubelet brings a changed ConfigMap within about a minute and a half."""
_PAUSE = 1.0
_REFUSED = 300
"""Deliveries: more than Alertmanager tries while the fault is on."""
_EXTRA_RULES = "fire-alerts.yaml"


class Api(Protocol):
    """What the faults need of a cluster; see ops/cluster_api.py."""

    def replicas(self, kind: str, name: str) -> int | None:
        """How many a Deployment or StatefulSet of the platform's namespace wants; None when there is none."""
        ...

    def scale(self, kind: str, name: str, replicas: int) -> None:
        """Set how many it wants."""
        ...

    def pods(self, app: str) -> list[dict[str, Any]]:
        """The pods of an app in the platform's namespace, as the API gives them."""
        ...

    def create_pod(self, name: str, *, script: str, annotations: dict[str, str]) -> None:
        """Run a Python script in a pod of the platform's namespace (app label = name), in the receiver's image."""
        ...

    def delete_pod(self, name: str) -> None:
        """Remove such a pod; one that is gone is fine."""
        ...

    def patch_config_map(self, name: str, data: dict[str, str | None]) -> None:
        """Set keys of a ConfigMap of the platform's namespace; None removes one."""
        ...


Fault = AbstractContextManager[None]


class PlatformFaults:
    """Faults by alert. Each is a context: entered when it is switched on, left when it is switched off."""

    def __init__(
        self,
        api: Api,
        prometheus: Prometheus,
        receiver: Receiver,
        *,
        patience: float = _PATIENCE,
        pause: float = _PAUSE,
    ) -> None:
        """`patience` and `pause` are in seconds: how long a fault may take to be in place, and between two looks."""
        self._api = api
        self._prometheus = prometheus
        self._receiver = receiver
        self._patience = patience
        self._pause = pause
        self._active: dict[str, Fault] = {}
        self._absent_at = 0.0
        self._causes: dict[str, Callable[[], Fault]] = {
            "TargetDown": self._target_down,
            "PodCrashLooping": self._crash_loop,
            "AlertmanagerNotificationsFailing": self._refusal,
            "GrafanaDown": lambda: self._scaled_to_zero("Deployment", "grafana"),
            "LokiIngestionStopped": lambda: self._scaled_to_zero("StatefulSet", "loki"),
            "PrometheusConfigReloadFailed": lambda: self._extra_rules(
                "groups: this is no list\n", "prometheus_config_last_reload_successful == 0"
            ),
            "PrometheusRuleFailures": lambda: self._extra_rules(
                # Many series on both sides: readable, but not computable.
                "groups: [{name: fire-alerts, rules: [{alert: FireAlertsDrill, expr: up * on () up > 2}]}]\n",
                "increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
            ),
        }
        self._needs = {"GrafanaDown": ("Deployment", "grafana"), "LokiIngestionStopped": ("StatefulSet", "loki")}

    def faults(self) -> list[dict[str, Any]]:
        """What can be caused in this cluster; a part that does not run here cannot go down."""
        return [{"alert": alert} for alert in self._causes if alert not in self.absent()]

    def absent(self) -> dict[str, str]:
        """Alerts whose fault cannot be caused in this cluster -> why."""
        return {
            alert: f"this stack runs no {name}"
            for alert, (kind, name) in self._needs.items()
            if alert not in self._active and not self._api.replicas(kind, name)
        }

    def switch_on(self, alert: str, *, seconds: float) -> float:  # noqa: ARG002 -- the cluster keeps no clock for us
        """Cause it and wait until it is there; the last time it was not, in epoch seconds of this machine's clock.

        Raises OpsError when it cannot be caused; then nothing is left of it.
        """
        if alert in self._active:
            return time.time()
        fault = self._causes[alert]()
        self._absent_at = time.time()
        fault.__enter__()
        self._active[alert] = fault
        return self._absent_at

    def switch_off(self, alert: str) -> float:
        """End it. Raises OpsError when the cluster does not take it; it may then be tried again."""
        if fault := self._active.pop(alert, None):
            fault.__exit__(None, None, None)
        return time.time()

    @contextmanager
    def _target_down(self) -> Generator[None]:
        """A pod that wants to be scraped and listens nowhere."""
        annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "9"}
        with self._pod("fire-alerts-target", "import time; time.sleep(1800)", annotations):
            self._wait("the pod runs", lambda: _phase(self._api.pods("fire-alerts-target")) == "Running")
            yield

    @contextmanager
    def _crash_loop(self) -> Generator[None]:
        """A pod whose program ends with an error as soon as it starts."""
        with self._pod("fire-alerts-crash", "raise SystemExit('made to crash by fire-alerts')", {}):
            self._wait("the pod waits to be started again", lambda: _crash_loops(self._api.pods("fire-alerts-crash")))
            yield

    @contextmanager
    def _refusal(self) -> Generator[None]:
        """The receiver refuses, until Alertmanager has given up a notification; then it must hear of that.

        The heartbeat of Watchdog is what is given up first. What was refused is notified again later.
        """
        query = "sum(increase(alertmanager_notifications_failed_total[1m])) > 0"
        self._receiver.fail_next(_REFUSED)
        try:
            self._wait(f"Prometheus answers {query}", lambda: bool(self._prometheus.query(query)))
        finally:
            self._receiver.fail_next(0)
        yield

    @contextmanager
    def _scaled_to_zero(self, kind: str, name: str) -> Generator[None]:
        """Nothing of an app runs; afterwards as many as before."""
        before = self._api.replicas(kind, name)
        if not before:
            raise OpsError(f"{kind} {name} does not run here")
        self._api.scale(kind, name, 0)
        try:
            self._wait(f"no pod of {name} is left", lambda: not self._api.pods(name))
            yield
        finally:
            self._api.scale(kind, name, before)

    @contextmanager
    def _extra_rules(self, text: str, query: str) -> Generator[None]:
        """One more file beside the deployed rules, until Prometheus shows what it makes of it."""
        self._api.patch_config_map("prometheus-rules", {_EXTRA_RULES: text})
        try:
            self._wait(f"Prometheus answers {query}", lambda: bool(self._prometheus.query(query)))
            yield
        finally:
            self._api.patch_config_map("prometheus-rules", {_EXTRA_RULES: None})

    @contextmanager
    def _pod(self, name: str, script: str, annotations: dict[str, str]) -> Generator[None]:
        self._api.delete_pod(name)  # what a killed drill left
        self._wait(f"pod {name} is gone", lambda: not self._api.pods(name))
        self._api.create_pod(name, script=script, annotations=annotations)
        try:
            yield
        finally:
            self._api.delete_pod(name)

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
