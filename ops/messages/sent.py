"""Sends example alerts through a real Alertmanager with a stack's routes, to a receiver on this machine."""

import json
import re
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import structlog
import uvicorn
import yaml

from alerting import routing
from alerting.files import write_yaml
from alerting.routing import notified
from local.ports import free_port
from local.toolchain import tool
from ops.clients.certificates import certificates
from ops.clients.signals import Delivery
from ops.errors import OpsError
from ops.messages.examples import Example
from simulator.receiver.delivery_log import DeliveryLog
from simulator.receiver.server import create_app

_BEGAN = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
"""Start of the example alerts; always the same, so that two previews differ in their content only."""
_PATIENCE = 60.0
# Alertmanager tries such a message again for minutes. Other failures pass by themselves.
_TEMPLATE_ERROR = re.compile(r'err="((?:\\"|[^"\n])*template(?:\\"|[^"\n])*)"')
_GROUP_WAIT = 2.0
"""Seconds; all alerts of a group arrive earlier, so they are one message."""
_TIMING = routing.Timing(group_wait=f"{_GROUP_WAIT:g}s", group_interval="1s", repeat_interval="1h")


def messages(
    routes: routing.Routing, templates: str, alerts: Sequence[Example], *, external_url: str, resolve: bool = False
) -> list[Delivery]:
    """What each channel gets for these alerts: the last message about each alert, ordered by channel and alert.

    No inhibition and no mute window applies. `templates` is the text of the notification templates, `external_url`
    Alertmanager's address in links. With `resolve`, the alerts end, and the messages about that are included. Raises
    OpsError if Alertmanager does not start, or a message is missing or malformed.
    """
    log = DeliveryLog(None)
    # The receiver logs each delivery.
    with structlog.testing.capture_logs(), TemporaryDirectory() as name, _receiver(log) as (port, smtp_port):
        folder = Path(name)
        (folder / routing.TEMPLATES).write_text(templates)
        (folder / "alertmanager.yml").write_text(_config(routes, port, smtp_port))
        with _alertmanager(folder, external_url) as url:
            _post(url, alerts)
            _await(log, routes, alerts, "firing", folder)
            if resolve:
                _post(url, alerts, ended=True)
                _await(log, routes, alerts, "resolved", folder)
    last = {(one.channel, one.status, one.alerts[0]["alertname"]): one for one in log.find() if one.alerts}
    return [
        Delivery(
            received_at=one.received_at,
            channel=one.channel,
            kind=one.kind,
            status=one.status,
            alerts=tuple(one.alerts),
            payload=one.payload,
        )
        for _, one in sorted(last.items())
    ]


def text(delivery: Delivery) -> str:
    """What a person reads of a message: its title and its text."""
    payload: Any = delivery.payload
    match delivery.kind:
        case "slack":
            (attachment,) = payload["attachments"]
            return "\n".join(filter(None, (attachment.get("pretext"), attachment["title"], attachment["text"])))
        case "pagerduty":
            event, links = payload["payload"], payload.get("links") or []
            shown = [f"{link['text']} {link['href']}" for link in links]
            return "\n".join([event["summary"], event["custom_details"]["firing"], *shown])
        case "email":
            return f"{payload['subject']}\n\n{payload['text']}"
        case "card":
            return "\n".join(block["text"] for block in payload["attachments"][0]["content"]["body"])
        case _:
            return json.dumps(payload, indent=2)


def _config(routes: routing.Routing, port: int, smtp_port: int) -> str:
    base = f"http://127.0.0.1:{port}/deliver"
    values = {"token": "0" * 32, "address": "oncall@example.com", "mention": "here"}
    secrets = {key: values.get(form, "") for key, form in routes.forms().items()}
    for name, channel in routes.channels.items():
        # The routes of a stack name a URL for each place, but two programs may share one.
        secrets |= {key: f"{base}/{name}" for key, form in channel.kind.keys().items() if form == "url"}
    mail = routing.Mail(smarthost=f"127.0.0.1:{smtp_port}", sender="alertmanager@example.com", require_tls=False)
    text = routing.render(routes, _TIMING, secrets, mail=mail, pagerduty_url=f"{base}/pagerduty", mute_windows=False)
    document: dict[str, Any] = yaml.safe_load(text)
    return write_yaml({**document, "inhibit_rules": []})


@contextmanager
def _receiver(log: DeliveryLog) -> Generator[tuple[int, int]]:
    """The receiver of the simulator, which understands every kind of channel. Yields its ports for HTTP and mail."""
    port, smtp_port = free_port(), free_port()
    # Without a level of its own: uvicorn would leave that on its loggers, for every other server of this process.
    server = uvicorn.Server(
        uvicorn.Config(create_app(log, smtp_port=smtp_port), host="127.0.0.1", port=port, log_config=None)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _until(lambda: server.started, "the receiver does not start")
        yield port, smtp_port
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@contextmanager
def _alertmanager(folder: Path, external_url: str) -> Generator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        str(tool("alertmanager")),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        f"--web.external-url={external_url}",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("wb") as output, Popen(command, stdin=DEVNULL, stdout=output, stderr=output) as process:
        try:
            _until(lambda: _ready(url), f"Alertmanager does not start; its log is in {folder / 'log'}")
            yield url
        finally:
            process.kill()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=5, verify=certificates()).is_success
    except httpx.HTTPError:
        return False


def _post(url: str, alerts: Sequence[Example], *, ended: bool = False) -> None:
    now = datetime.now(UTC)
    body = [
        {
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "generatorURL": alert.query,
            "startsAt": _BEGAN.isoformat(),
            **({"endsAt": now.isoformat()} if ended else {}),
        }
        for alert in alerts
    ]
    httpx.post(f"{url}/api/v2/alerts", json=body, timeout=_PATIENCE, verify=certificates()).raise_for_status()


def _await(log: DeliveryLog, routes: routing.Routing, alerts: Sequence[Example], status: str, folder: Path) -> None:
    """Wait until every channel of every alert has a message with this status."""
    wanted = {
        (_named(routes, channel), alert.labels["alertname"])
        for alert in alerts
        for channel in notified.channels(routes, alert.labels)
        if status == "firing" or routes.channels[channel].kind.send_resolved
    }

    def missing() -> set[tuple[str, str]]:
        found = log.find()
        if bad := [delivery.error for delivery in found if delivery.error]:
            raise OpsError(f"the receiver refuses a message: {bad[0]}")
        if failed := _TEMPLATE_ERROR.search((folder / "log").read_text(errors="replace")):
            raise OpsError(f"Alertmanager cannot send a message: {failed[1]}")
        return wanted - {
            (delivery.channel, alert["alertname"])
            for delivery in found
            for alert in delivery.alerts
            if alert["status"] == status
        }

    _until(lambda: not missing(), lambda: f"no message of {sorted(missing())[:5]}")
    time.sleep(1)  # groups of one alert are sent at the same time, but not at once


def _named(routes: routing.Routing, channel: str) -> str:
    """The name under which the receiver records a channel; all PagerDuty services have one URL."""
    return channel if "token" not in routes.channels[channel].kind.keys().values() else "pagerduty"


def _until(condition: Any, problem: Any) -> None:  # noqa: ANN401 -- a text, or a function that returns it
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise OpsError(problem() if callable(problem) else problem)
        time.sleep(0.1)
