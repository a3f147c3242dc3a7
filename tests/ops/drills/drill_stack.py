"""One fake for all services of a drill. An alert fires and notifies its channel as soon as its fault is on."""

import time
from collections.abc import Collection, Mapping
from typing import Any, cast

from alerting.model import Engine
from ops.clients.signals import Alertmanager, Delivery, Prometheus, Receiver
from ops.drills.log_rules import LogRules
from ops.drills.plan import AlertPlan, Waits
from ops.drills.services import Services
from ops.errors import OpsError

WAITS = Waits(scrape=1, evaluation=1, for_=1, group_wait=1, group_interval=1)
CHANNEL = "job-queue-webhook"


class Stack:
    """The fake. `log` lists in order which faults went on (`+A`) and off (`-A`)."""

    def __init__(
        self,
        *,
        stubborn: Collection[str] = (),
        endless: Collection[str] = (),
        firing: Collection[str] = (),
        alerts: Collection[str] = "ABC",
        lingering: Mapping[str, float] | None = None,
    ) -> None:
        self.stubborn, self.endless, self.firing = stubborn, endless, firing
        """Alerts whose fault cannot be switched off; that never resolve; that already fire before the drill."""
        self.lingering = lingering or {}
        """Alerts with an instance that still fires so many seconds after the resolved message of another."""
        self.names = tuple(alerts)
        self.ends: dict[str, float] = {}
        self.on: list[str] = []
        self.log: list[str] = []
        self.notified: list[Delivery] = []
        self.queries = 0
        self.strays: list[str] = []
        """Channels that are notified although no route leads to them."""

    def notify(self, alert: str, status: str, *, at: float | None = None, channel: str = CHANNEL) -> None:
        one = {"alertname": alert, "status": status}
        self.notified.append(
            Delivery(
                received_at=time.time() + 1 if at is None else at,
                channel="",
                kind="webhook",
                status=status,
                alerts=(one,),
                payload={"receiver": channel},
            )
        )

    def faults(self) -> list[dict[str, Any]]:
        return [{"alert": alert} for alert in self.names]

    def switch_on(self, alert: str, *, seconds: float) -> float:
        self.log.append(f"+{alert}")
        self.on.append(alert)
        for channel in (CHANNEL, *self.strays):
            self.notify(alert, "firing", channel=channel)
        return time.time()

    def switch_off(self, alert: str) -> float:
        self.log.append(f"-{alert}")
        if alert in self.stubborn:
            raise OpsError("the API server says 500")
        self.on.remove(alert)
        self.ends[alert] = time.time() + self.lingering.get(alert, 0.0)
        if alert not in self.endless:
            self.notify(alert, "resolved")
        return time.time()

    def deliveries(self, since: float) -> list[Delivery]:
        return [one for one in self.notified if one.received_at >= since]

    def alerts(self, *_: str) -> list[dict[str, Any]]:
        return []

    def query(self, _: str) -> list[dict[str, Any]]:
        return [{"value": [0, "5"]}]

    def alert_rules(self) -> dict[str, dict[str, Any]]:
        self.queries += 1
        firing = {*self.firing, *(name for name, end in self.ends.items() if time.time() < end)}
        return {name: {"state": "firing" if name in firing else "inactive"} for name in self.names}


def services(stack: Stack, log_rules: Stack | None = None) -> Services:
    return Services(
        source=stack,
        receiver=cast(Receiver, stack),
        prometheus=cast(Prometheus, stack),
        alertmanager=cast(Alertmanager, stack),
        log_rules=cast(LogRules, log_rules) if log_rules else None,
    )


def plan(
    alert: str,
    *,
    engine: Engine = "prometheus",
    system: str = "job-queue",
    labels: Mapping[str, str] | None = None,
    window: float = 0.0,
    waits: Waits = WAITS,
) -> AlertPlan:
    return AlertPlan(
        alert=alert,
        labels={"system": system, "subject": alert, "severity": "warning", **(labels or {})},
        channels=(CHANNEL,),
        waits=waits,
        default_for=1,
        engine=engine,
        window=window,
    )
