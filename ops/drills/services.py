"""The services of a stack that a drill uses, and the queries that it repeats."""

import functools
from dataclasses import dataclass
from typing import Any

from alerting.model import Engine
from ops.clients.signals import Alertmanager, Delivery, Prometheus, Receiver
from ops.drills.faults import FaultSource
from ops.drills.log_rules import LogRules
from ops.drills.plan import AlertPlan

NAMES: dict[Engine, str] = {"prometheus": "Prometheus", "loki": "Loki"}


@dataclass(frozen=True, kw_only=True)
class Services:
    """The services of a stack that a drill uses, and the source of its faults."""

    source: FaultSource
    receiver: Receiver
    prometheus: Prometheus
    alertmanager: Alertmanager
    log_rules: LogRules | None = None
    """Loki's ruler, which evaluates the log alerts; None if no log alert is drilled."""

    def alert_rules(self, engine: Engine) -> dict[str, dict[str, Any]]:
        """The rules that this engine currently evaluates; see Prometheus.alert_rules."""
        if engine == "prometheus":
            return self.prometheus.alert_rules()
        return self.log_rules.alert_rules() if self.log_rules else {}


class Observation:
    """The state of the stack at one moment. Each service is queried at most once, for any number of alerts."""

    def __init__(self, services: Services) -> None:
        """Queries a service only when its state is first needed."""
        self._services = services
        self._rules = functools.cache(services.alert_rules)
        self._held = functools.cache(self._names)
        self.is_scraped = functools.cache(self._is_scraped)

    def state(self, engine: Engine, alert: str) -> str:
        """`inactive`, `pending` or `firing`; `missing` if the rule does not exist."""
        return str(self._rules(engine).get(alert, {}).get("state", "missing"))

    def is_held(self, alert: str) -> bool:
        """Whether Alertmanager holds the alert."""
        return alert in self._held()

    def _names(self) -> frozenset[str]:
        return frozenset(str(alert["labels"]["alertname"]) for alert in self._services.alertmanager.alerts())

    def _is_scraped(self, probe: str) -> bool:
        # A rate shows a fault only if the series has an earlier sample.
        if not probe:
            return True
        samples = f"count_over_time({probe}[10m]) and {probe}"
        values = [float(series["value"][1]) for series in self._services.prometheus.query(samples)]
        return bool(values) and min(values) >= 2


class Deliveries:
    """The deliveries since a given time; each call fetches only new ones."""

    def __init__(self, receiver: Receiver, since: float) -> None:
        """`since` in seconds since the epoch, on the receiver's clock."""
        self._receiver = receiver
        self._since = since
        self._last: list[Delivery] = []
        self._notified: dict[str, float] = {}

    def news(self) -> list[Delivery]:
        """The deliveries since the last call, oldest first."""
        # Several deliveries may share the time of the last one, so that time is fetched again.
        new = [one for one in self._receiver.deliveries(self._since) if one not in self._last]
        if new:
            self._since = max(one.received_at for one in new)
            known = [*self._last, *new]
            self._last = [one for one in known if one.received_at >= self._since]
        for one in new:
            for alert in one.alerts:
                self._notified[str(alert["alertname"])] = one.received_at
        return new

    def last_notified(self, alert: str) -> float:
        """Time of the last notification of this alert, in epoch seconds; 0 if there was none."""
        return self._notified.get(alert, 0.0)


def diagnosis(services: Services, plan: AlertPlan) -> str:
    """Describes how far an alert got in the pipeline."""
    name = plan.alert
    state = services.alert_rules(plan.engine).get(name, {}).get("state", "missing")
    held = services.alertmanager.alerts(f'alertname="{name}"')
    for alert in held:
        status = alert["status"]
        if status["silencedBy"]:
            return f"Alertmanager holds it silenced by {', '.join(status['silencedBy'])}"
        if status["inhibitedBy"]:
            return f"Alertmanager holds it muted by another alert ({', '.join(status['inhibitedBy'])})"
        if status.get("mutedBy"):
            return f"Alertmanager holds it muted by the time window {', '.join(status['mutedBy'])}"
    if held:
        return "Alertmanager holds it; Alertmanager's log contains the receiver's answer"
    return f"it is {state} in {NAMES[plan.engine]}, Alertmanager does not hold it"
