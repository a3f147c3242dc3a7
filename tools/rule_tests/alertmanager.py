"""A real Alertmanager on loopback with the project's routes, whose receivers all lead to one recording server."""

import contextlib
import functools
import json
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from alerting import routing
from local.ports import free_ports
from tools.http_server import Handler, serving
from tools.programs import SECONDS, Server
from tools.rule_tests import yaml_text

TIMING = routing.Timing(group_wait="1s", group_interval="1h", repeat_interval="4h")
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Message:
    """One notification that Alertmanager sent."""

    receiver: str
    group: str
    """Key of the group. PagerDuty's key of the incident follows from it."""
    alerts: tuple[dict[str, str], ...]
    """Labels of each alert."""


@dataclass
class Running:
    """A running Alertmanager, perhaps of several replicas, and its notifications."""

    urls: list[str]
    messages: list[Message] = field(default_factory=list)

    @property
    def url(self) -> str:
        """URL of the first replica."""
        return self.urls[0]

    @property
    def notifications(self) -> list[tuple[str, dict[str, str]]]:
        """Receiver and labels of each alert."""
        return [(message.receiver, alert) for message in self.messages for alert in message.alerts]

    def fire(self, *alerts: Labels) -> None:
        """Make these alerts fire."""
        self._post([{"labels": dict(one)} for one in alerts])

    def end(self, *alerts: Labels) -> None:
        """Make these alerts end."""
        now = datetime.now(UTC).isoformat()
        self._post([{"labels": dict(one), "endsAt": now} for one in alerts])

    def _post(self, alerts: Sequence[Mapping[str, object]]) -> None:
        """Send these alerts to each replica, as Prometheus does."""
        for url in self.urls:
            httpx.post(f"{url}/api/v2/alerts", json=alerts, timeout=SECONDS).raise_for_status()

    def silence(self, labels: Labels) -> str:
        """Silence alerts with these labels for an hour. Returns the silence's id."""
        now = datetime.now(UTC)
        asked = {
            "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "test",
            "comment": "test",
        }
        answer = httpx.post(f"{self.url}/api/v2/silences", json=asked, timeout=SECONDS).raise_for_status()
        return answer.json()["silenceID"]

    def expire(self, silence: str) -> None:
        """End a silence."""
        httpx.delete(f"{self.url}/api/v2/silence/{silence}", timeout=SECONDS).raise_for_status()

    def settle(self) -> None:
        """Wait until all firing alerts were notified or are muted: until the notification of a last, unmuted alert."""
        # The last alert's group starts after the others and waits as long.
        last = {"alertname": "Last", "system": "unheard-of", "cluster": f"last-{time.monotonic_ns()}"}
        time.sleep(0.2)
        self.fire(last)
        deadline = time.monotonic() + SECONDS
        count, since = 0, time.monotonic()
        # Groups are notified in parallel, so the last alert may be slightly earlier than others.
        while not self.receivers(last) or time.monotonic() < since + 1:
            assert time.monotonic() < deadline, "Alertmanager sent no notification, or never stops sending"
            if len(self.notifications) > count:
                count, since = len(self.notifications), time.monotonic()
            time.sleep(0.05)

    def receivers(self, labels: Labels) -> set[str]:
        """The receivers that were notified of the alert."""
        return {receiver for receiver, found in self.notifications if found == dict(labels)}

    def status(self, labels: Labels) -> dict[str, Any]:
        """The alert's status in Alertmanager's API."""
        groups = httpx.get(f"{self.url}/api/v2/alerts/groups").raise_for_status().json()
        found = [one["status"] for group in groups for one in group["alerts"] if one["labels"] == dict(labels)]
        # The status is the same in the groups of all its receivers, except that some routes have no mute window.
        assert found
        return found[0]


def document(routes: routing.Routing | None = None, *, mute_windows: bool = True) -> dict[str, Any]:
    """The deployed alertmanager.yml, with short waits."""
    text = _rendered(mute_windows) if routes is None else _render(routes, mute_windows=mute_windows)
    return yaml_text.load(text)


@functools.cache
def _rendered(mute_windows: bool) -> str:
    return _render(routing.load(), mute_windows=mute_windows)


def _render(routes: routing.Routing, *, mute_windows: bool) -> str:
    values = {"url": "http://127.0.0.1:9", "token": "x", "address": "a@example.com", "mention": "here"}
    secrets = {key: values[form] for key, form in routes.forms().items()}
    mail = routing.Mail(smarthost="127.0.0.1:9", sender="a@example.com")
    return routing.render(routes, TIMING, secrets, mail=mail, mute_windows=mute_windows)


@contextlib.contextmanager
def running(
    config: dict[str, Any], folder: Path, *, notifies: bool = True, replicas: int = 1, peer_timeout: str = "15s"
) -> Generator[Running]:
    """Runs Alertmanager with this configuration during the block; without notifications it can hold more alerts.

    Each of several replicas waits `peer_timeout` for each one before it, and notifies if none of them has.
    """
    with _receiver() as (address, messages):
        config = config | {
            "receivers": [
                {"name": one["name"], "webhook_configs": [{"url": f"{address}/{one['name']}"}] if notifies else []}
                for one in config["receivers"]
            ]
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alertmanager.yml").write_text(yaml_text.dump(config))
        (folder / routing.TEMPLATES).write_text(routing.message_templates())
        ports, gossip = free_ports(replicas), free_ports(replicas)
        peers = [f"--cluster.peer=127.0.0.1:{port}" for port in gossip] if replicas > 1 else []
        with contextlib.ExitStack() as servers:
            for number, port in enumerate(ports):
                arguments = [
                    f"--config.file={folder / 'alertmanager.yml'}",
                    f"--storage.path={folder / f'data-{number}'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    f"--cluster.listen-address={f'127.0.0.1:{gossip[number]}' if peers else ''}",
                    *peers,
                    f"--cluster.peer-timeout={peer_timeout}",
                ]
                health = f"http://127.0.0.1:{port}/-/ready"
                servers.enter_context(Server("alertmanager", arguments, folder / f"log-{number}", health))
            yield Running([f"http://127.0.0.1:{port}" for port in ports], messages)


@contextlib.contextmanager
def _receiver() -> Generator[tuple[str, list[Message]]]:
    messages: list[Message] = []

    class Receiver(Handler):
        def respond(self) -> None:
            sent = json.loads(self.body())
            alerts = tuple(alert["labels"] for alert in sent["alerts"])
            messages.append(Message(self.path[1:], sent["groupKey"], alerts))
            self.answer(200)

    with serving(Receiver) as url:
        yield url, messages
