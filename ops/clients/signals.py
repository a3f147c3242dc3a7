"""Clients of the four services that a drill uses. Each call is repeated while its service cannot be reached."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import httpx
import yaml

from alerting import durations
from alerting.routing import notified
from ops.clients.certificates import certificates
from ops.clients.kube import is_forward
from ops.errors import OpsError

PATIENCE = 120.0
"""Seconds for which a call is repeated. A pod may just have been replaced, and on a busy machine the port-forward
takes a while to reconnect."""
FIRST_PATIENCE = 3.0
"""Seconds for the first call: if a service has never answered, its address is probably wrong."""
ANSWER_TIMEOUT = 10.0
"""Seconds to wait for one answer."""
_PAUSE = 0.5


Json = Any
"""Any JSON document; every reader narrows it."""


class Api:
    """JSON over HTTP to one service. Every call is safe to repeat."""

    def __init__(self, name: str, url: str) -> None:
        """`name` is the service's name in error messages."""
        self.name = name
        self.url = url.rstrip("/")
        self._patience, self._later = FIRST_PATIENCE, PATIENCE

    def without_waiting(self) -> Self:
        """This client, which from now on repeats no call."""
        self._patience = self._later = 0.0
        return self

    def get(self, path: str, **parameters: object) -> Json:
        """The JSON answer; parameters that are None are left out. Raises OpsError."""
        return self.call("GET", path, parameters=parameters)

    def call(
        self, method: str, path: str, *, parameters: Mapping[str, object] | None = None, body: object = None
    ) -> Json:
        """The JSON answer, None if it is empty. Raises OpsError for an error status or an unreachable service."""
        query = {name: value for name, value in (parameters or {}).items() if value is not None}
        begun = time.monotonic()
        deadline = begun + self._patience
        while True:
            try:
                answer = httpx.request(
                    method,
                    self.url + path,
                    params=cast(Any, query),
                    json=body,
                    timeout=ANSWER_TIMEOUT,
                    verify=certificates(),
                    trust_env=not is_forward(self.url),
                )
                if answer.status_code < 500:
                    break
                problem = f"{answer.status_code} {answer.text[:200]}"
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise OpsError(f"{self.name}: {self.url!r} is not a URL: {error}") from error
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
                if isinstance(error, httpx.ReadTimeout):
                    # Something listens at the address, so it is not wrong: the machine is busy.
                    deadline = begun + PATIENCE
            if time.monotonic() > deadline:
                raise OpsError(f"{self.name} at {self.url} does not answer: {problem}")
            time.sleep(_PAUSE)
        self._patience = self._later
        if answer.is_error:
            raise OpsError(f"{self.name} rejected {method} {path}: {answer.status_code} {answer.text[:500]}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise OpsError(f"{self.name} at {self.url}: the answer is not JSON; is this the right service?") from error


class Simulator(Api):
    """The simulator's fault switches. Times are in seconds since the epoch, on the simulator's clock."""

    def __init__(self, url: str) -> None:
        """`url` of the server pod's service."""
        super().__init__("the simulator", url)

    def faults(self) -> list[dict[str, Any]]:
        """Every fault with its active instances."""
        return cast(list[dict[str, Any]], self.get("/faults"))

    def switch_on(self, alert: str, *, instance: str | None = None, seconds: float | None = None) -> float:
        """Switch a fault on. Returns the time at which it was switched on."""
        parameters = {"instance": instance, "seconds": seconds}
        return float(self.call("PUT", f"/faults/{alert}", parameters=parameters)["since"])

    def switch_off(self, alert: str, *, instance: str | None = None) -> float:
        """Switch a fault off; it may be off already. Returns the time at which it was switched off."""
        return float(self.call("DELETE", f"/faults/{alert}", parameters={"instance": instance})["at"])


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A notification that the receiver recorded."""

    received_at: float
    """Seconds since the epoch, on the receiver's clock."""
    channel: str
    """The end of the path to which it was sent, which several channels may share."""
    kind: str
    status: str
    alerts: tuple[dict[str, Any], ...]
    payload: Any

    @property
    def receiver(self) -> str:
        """Name of the channel that it was sent to.

        Alertmanager names the receiver (= channel) in a webhook, in the details of a PagerDuty event and in a header of
        an e-mail, whose addresses several channels may share. A message to Slack or Teams goes where its URL leads,
        whatever it says, so its URL's path names the channel.
        """
        payload: dict[str, Any] = cast(dict[str, Any], self.payload) if isinstance(self.payload, dict) else {}
        match self.kind:
            case "webhook":
                named = payload.get("receiver")
            case "pagerduty":
                event: dict[str, Any] = payload.get("payload") or payload
                named = (event.get("custom_details") or {}).get("receiver")
            case "email":
                headers: dict[str, Any] = payload.get("headers") or {}
                lower = {name.lower(): value for name, value in headers.items()}
                named = lower.get("x-alertmanager-receiver")
            case _:
                named = None
        return str(named or self.channel)

    def about(self, alertname: str, status: str) -> bool:
        """Whether the notification reports this alert with this status."""
        return any(alert["alertname"] == alertname and alert["status"] == status for alert in self.alerts)


class Receiver(Api):
    """The deliveries that the receiver recorded."""

    def __init__(self, url: str) -> None:
        """`url` of the receiver's service."""
        super().__init__("the notification receiver", url)

    def deliveries(self, since: float) -> list[Delivery]:
        """Everything received since this time, oldest first."""
        found = cast(list[dict[str, Any]], self.get("/deliveries", since=since))
        return [
            Delivery(
                received_at=one["received_at"],
                channel=one["channel"],
                kind=one["kind"],
                status=one["status"],
                alerts=tuple(one["alerts"]),
                payload=one["payload"],
            )
            for one in found
        ]

    def fail_next(self, count: int) -> None:
        """Reject the next `count` deliveries; 0 cancels this."""
        self.call("POST", "/fail-next", parameters={"count": count})


class Prometheus(Api):
    """Prometheus' running configuration, its rules and instant queries."""

    def __init__(self, url: str) -> None:
        """`url` of any replica."""
        super().__init__("Prometheus", url)

    def scrape_interval(self, pool: str) -> float:
        """Seconds between scrapes of a job in the running configuration."""
        config = yaml.safe_load(self.get("/api/v1/status/config")["data"]["yaml"])
        jobs = {job["job_name"]: job for job in config.get("scrape_configs") or []}
        interval = jobs.get(pool, {}).get("scrape_interval") or config["global"]["scrape_interval"]
        return seconds(interval)

    def alert_rules(self) -> dict[str, dict[str, Any]]:
        """Maps each alert name to its rule from `/api/v1/rules`, with the group's `interval` in seconds added."""
        groups = self.get("/api/v1/rules", type="alert")["data"]["groups"]
        return {rule["name"]: {**rule, "interval": group["interval"]} for group in groups for rule in group["rules"]}

    def recording_rules(self) -> dict[str, dict[str, Any]]:
        """Maps each recorded series to its rule from `/api/v1/rules`, with the group's `interval` in seconds added."""
        groups = self.get("/api/v1/rules", type="record")["data"]["groups"]
        return {rule["name"]: {**rule, "interval": group["interval"]} for group in groups for rule in group["rules"]}

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result vector of an instant query."""
        return cast(list[dict[str, Any]], self.get("/api/v1/query", query=expression)["data"]["result"])


class Alertmanager(Api):
    """Alertmanager's running configuration and current alerts."""

    def __init__(self, url: str) -> None:
        """`url` of any replica."""
        super().__init__("Alertmanager", url)

    def config(self) -> dict[str, Any]:
        """The running configuration. Raises OpsError for one whose routes cannot be read here."""
        config = cast(dict[str, Any], yaml.safe_load(self.get("/api/v2/status")["config"]["original"]))
        try:
            notified.check(config)
        except ValueError as error:
            raise OpsError(f"{self.name}'s configuration: {error}") from error
        return config

    def alerts(self, *matchers: str) -> list[dict[str, Any]]:
        """Alerts that match every matcher, including silenced and inhibited ones."""
        return cast(list[dict[str, Any]], self.get("/api/v2/alerts", filter=list(matchers)))

    def post(self, alerts: list[dict[str, Any]]) -> None:
        """Send alerts as a Prometheus would."""
        self.call("POST", "/api/v2/alerts", body=alerts)


def seconds(duration: str) -> float:
    """Seconds of a duration in Prometheus' notation. Raises OpsError for any other text."""
    try:
        return durations.seconds(duration)
    except ValueError as error:
        raise OpsError(f"{duration!r} is not a duration: {error}") from error
