"""The services of a stack that a drill talks to, and what it asks them again and again."""

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
    """The services of a stack that a drill talks to, and what causes its faults."""

    source: FaultSource
    receiver: Receiver
    prometheus: Prometheus
    alertmanager: Alertmanager
    log_rules: LogRules | None = None
    """Who evaluates the alerts on log lines; None where no such alert is drilled."""

    def alert_rules(self, engine: Engine) -> dict[str, dict[str, Any]]:
        """The rules that this engine evaluates at present; see Prometheus.alert_rules."""
        if engine == "prometheus":
            return self.prometheus.alert_rules()
        return self.log_rules.alert_rules() if self.log_rules else {}


class Look:
    """One look at the stack: however many alerts ask, each service is asked once."""

    def __init__(self, services: Services) -> None:
        """Nothing is asked before somebody wants to know."""
        self._services = services
        self._rules = functools.cache(services.alert_rules)
        self._held = functools.cache(self._names)
        self.is_scraped = functools.cache(self._is_scraped)

    def state(self, engine: Engine, alert: str) -> str:
        """`inactive`, `pending` or `firing`; `missing` for a rule that is not there."""
        return str(self._rules(engine).get(alert, {}).get("state", "missing"))

    def is_held(self, alert: str) -> bool:
        """Whether Alertmanager holds the alert."""
        return alert in self._held()

    def _names(self) -> frozenset[str]:
        return frozenset(str(alert["labels"]["alertname"]) for alert in self._services.alertmanager.alerts())

    def _is_scraped(self, probe: str) -> bool:
        # A rate sees a fault only against an earlier sample of the same series.
        if not probe:
            return True
        samples = f"count_over_time({probe}[10m]) and {probe}"
        values = [float(series["value"][1]) for series in self._services.prometheus.query(samples)]
        return bool(values) and min(values) >= 2


class Deliveries:
    """What was delivered since a moment; each look fetches what is new alone."""

    def __init__(self, receiver: Receiver, since: float) -> None:
        """`since` in seconds since the epoch, by the receiver's clock."""
        self._receiver = receiver
        self._since = since
        self._last: list[Delivery] = []
        self._told: dict[str, float] = {}

    def news(self) -> list[Delivery]:
        """What came since the last look, oldest first."""
        # Several may carry the time of the last one, so it is asked for again.
        found = [one for one in self._receiver.deliveries(self._since) if one not in self._last]
        if found:
            self._since = max(one.received_at for one in found)
            known = [*self._last, *found]
            self._last = [one for one in known if one.received_at >= self._since]
        for one in found:
            for alert in one.alerts:
                self._told[str(alert["alertname"])] = one.received_at
        return found

    def last_told(self, alert: str) -> float:
        """When anybody was told of this alert, in epoch seconds; 0 for never."""
        return self._told.get(alert, 0.0)


def diagnosis(services: Services, plan: AlertPlan) -> str:
    """How far an alert got: the first place where it stopped."""
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
        return "Alertmanager holds it; its own log says what the notification's receiver answered"
    return f"{NAMES[plan.engine]} has it as {state}, Alertmanager does not hold it"
