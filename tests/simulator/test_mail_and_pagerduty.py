"""The receiver accepts PagerDuty events and mail from Alertmanager, and survives any other input."""

import asyncio
import json
import smtplib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from local.ports import free_port
from simulator.receiver import mails
from simulator.receiver.delivery_log import DeliveryLog
from simulator.receiver.notifications import LARGEST, MalformedError, NotificationKind
from simulator.receiver.server import create_app
from tests.simulator.client import Client

TITLE = "[FIRING:2] MediaUploadSlow (critical, local)"


def event(**changes: Any) -> dict[str, Any]:
    """An event that Alertmanager posts to PagerDuty's events API."""
    return {
        "routing_key": "a-secret-key",
        "event_action": "trigger",
        "dedup_key": "c0ffee",
        "payload": {
            "summary": TITLE,
            "source": "Alertmanager",
            "severity": "critical",
            "custom_details": {"receiver": "oncall-pagerduty", "alertname": "MediaUploadSlow", "firing": "2"},
        },
    } | changes


def mail(subject: str | None = TITLE, receiver: str | None = "media-email") -> EmailMessage:
    message = EmailMessage()
    if subject is not None:
        message["Subject"] = subject
    message["From"], message["To"] = "alerts@platform.test", "oncall@media.test"
    if receiver is not None:
        message["X-Alertmanager-Receiver"] = receiver
    message.set_content("Uploads are slow: größer als 10 s")
    message.add_alternative("<p>Uploads are slow</p>", subtype="html")
    return message


@contextmanager
def serving(file: Path | None = None) -> Iterator[tuple[Client, int]]:
    """Runs the receiver with a real mailbox in a thread; gives a client and the mailbox's port."""
    port = free_port()
    app = create_app(DeliveryLog(file), smtp_port=port)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=free_port(), log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        yield Client(app), port
    finally:
        server.should_exit = True
        thread.join(30)


def send(port: int, message: EmailMessage | bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        content = message if isinstance(message, bytes) else message.as_bytes()
        client.sendmail("alerts@platform.test", ["oncall@media.test", "second@media.test"], content)


def test_an_event_is_recorded_without_its_key_and_answered_as_by_pagerduty() -> None:
    client = Client(create_app(DeliveryLog(None)))
    answer = client.post("/deliver/pagerduty", json=event())
    resolve = event(event_action="resolve", payload={"summary": "[RESOLVED] MediaUploadSlow (critical, local)"})
    client.post("/deliver/pagerduty", json=resolve)
    firing, resolved = client.get("/deliveries").json()

    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "c0ffee"}
    assert (firing["channel"], firing["kind"], firing["status"]) == ("pagerduty", "pagerduty", "firing")
    assert firing["alerts"] == [{"alertname": "MediaUploadSlow", "status": "firing", "labels": {}}]
    assert firing["payload"]["payload"]["custom_details"]["receiver"] == "oncall-pagerduty"
    assert (resolved["status"], resolved["alerts"][0]["status"]) == ("resolved", "resolved")
    assert "a-secret-key" not in json.dumps([firing, resolved])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"routing_key": ""}, "`routing_key`"),
        ({"routing_key": None}, "`routing_key`"),
        ({"dedup_key": 1}, "`dedup_key`"),
        ({"event_action": "acknowledge"}, "allowed: trigger, resolve"),
        ({"event_action": ["trigger"]}, "allowed: trigger, resolve"),
        ({"payload": "x"}, "`payload`"),
        ({"payload": {"summary": "hello"}}, "[FIRING:n]"),
        ({"event_action": "resolve"}, "says firing"),
    ],
)
def test_a_wrong_event_is_refused_and_recorded(changes: dict[str, Any], reason: str) -> None:
    client = Client(create_app(DeliveryLog(None)))
    answer = client.post("/deliver/pagerduty", json=event(**changes))
    (record,) = client.get("/deliveries").json()

    assert answer.status_code == 400
    assert reason in answer.text
    assert (record["kind"], record["error"]) == ("malformed", answer.text)
    assert "a-secret-key" not in json.dumps(record)


def test_a_mail_is_recorded_with_both_texts(tmp_path: Path) -> None:
    file = tmp_path / "deliveries.jsonl"
    with serving(file) as (client, port):
        send(port, mail())
        send(port, mail("[RESOLVED] MediaUploadSlow (critical, local)"))
        send(port, mail(receiver=None))
        first, second, third = shown = client.get("/deliveries").json()

    assert (first["channel"], first["kind"], first["status"]) == ("media-email", "email", "firing")
    assert first["alerts"] == [{"alertname": "MediaUploadSlow", "status": "firing", "labels": {}}]
    payload = first["payload"]
    assert payload["subject"] == TITLE
    assert payload["headers"]["X-Alertmanager-Receiver"] == "media-email"
    assert "größer als 10 s" in payload["text"]
    assert "<p>Uploads are slow</p>" in payload["html"]
    assert payload["recipients"] == ["oncall@media.test", "second@media.test"]
    assert second["status"] == "resolved"
    assert third["channel"] == "email"
    assert Client(create_app(DeliveryLog(file))).get("/deliveries").json() == shown


@pytest.mark.parametrize(
    "message", [b"", b"hello\r\n", b"Subject: =?utf-8?q?=ff?=\r\n\r\n\xff", mail("Hello"), mail(None)]
)
def test_a_mail_that_is_not_a_notification_is_permanently_refused_and_recorded(message: EmailMessage | bytes) -> None:
    with serving() as (client, port):
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            send(port, message)
        (record,) = client.get("/deliveries").json()

    assert refusal.value.smtp_code == 554
    assert (record["kind"], record["channel"]) == ("malformed", "email")
    assert "[FIRING:n]" in record["error"]


def test_a_mail_beyond_the_limit_is_refused_and_the_next_one_is_accepted() -> None:
    large = EmailMessage()
    large.set_content("x\n" * LARGEST)
    with serving() as (client, port):
        with pytest.raises(smtplib.SMTPResponseException) as refusal:
            send(port, large)
        send(port, mail())
        assert len(client.get("/deliveries").json()) == 1
    assert refusal.value.smtp_code == 552


def test_the_requested_number_of_deliveries_fails_over_both_protocols() -> None:
    with serving() as (client, port):
        client.post("/fail-next", params={"count": 2})
        assert client.post("/deliver/pagerduty", json=event()).status_code == 500
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            send(port, mail())
        send(port, mail())
        metrics = client.get("/metrics").text

    assert refusal.value.smtp_code == 451
    assert 'receiver_deliveries_total{channel="media-email",status="refused"} 1.0' in metrics
    assert 'receiver_deliveries_total{channel="media-email",status="firing"} 1.0' in metrics


def test_neither_a_login_nor_encryption_is_offered() -> None:
    with serving() as (_, port), smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        assert not {"auth", "starttls"} & set(client.esmtp_features)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda value: b"Subject: [FIRING:1] A\r\n" + value))
def test_the_mail_parser_raises_only_one_kind_of_error(content: bytes) -> None:
    try:
        found = mails.parse(content, [])
    except MalformedError as error:
        assert str(error)  # noqa: PT017 -- either outcome is fine, another exception is not
    else:
        assert found.notification.kind is NotificationKind.EMAIL
        assert json.dumps(found.payload, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("header", "channel"), [("a-b.c", "a-b.c"), ("", "email"), ("a b", "email"), ("x" * 64, "email")]
)
def test_a_channel_is_a_plain_name(header: str, channel: str) -> None:
    assert mails.channel(header) == channel


def test_a_port_in_use_is_an_error() -> None:
    async def twice() -> None:
        async with (
            mails.mailbox(lambda *_: "250 ok", host="127.0.0.1", port=0) as port,
            mails.mailbox(lambda *_: "250 ok", host="127.0.0.1", port=port),
        ):
            pass

    with pytest.raises(OSError, match="address already in use"):
        asyncio.run(twice())
