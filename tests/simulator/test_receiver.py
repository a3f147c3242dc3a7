"""The receiver records Alertmanager's deliveries, keeps them over a restart, and never breaks on bad input."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.receiver.delivery_log import Delivery, DeliveryLog
from simulator.receiver.notifications import LARGEST, MalformedError, NotificationKind, parse
from simulator.receiver.server import create_app
from tests.simulator.client import Client


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def webhook(*alerts: tuple[str, str]) -> dict[str, Any]:
    """Alertmanager's webhook JSON with these alerts, each given as name and status."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="A"}',
        "status": "firing" if any(status == "firing" for _, status in alerts) else "resolved",
        "receiver": "job-queue-webhook",
        "alerts": [
            {"status": status, "labels": {"alertname": name, "queue": "default"}, "annotations": {}}
            for name, status in alerts
        ],
    }


def slack(title: str) -> dict[str, Any]:
    """JSON that Alertmanager 0.28 posts to an incoming Slack webhook."""
    attachment = {"title": title, "title_link": "http://x", "text": "…", "fallback": title, "color": "danger"}
    return {"channel": "#job-queue-alerts", "username": "Alertmanager", "attachments": [attachment]}


def client_of(file: Path | None = None, clock: Clock | None = None) -> Client:
    return Client(create_app(DeliveryLog(file), clock=clock or Clock()))


@pytest.mark.parametrize(
    ("title", "status", "names"),
    [
        ("[FIRING:1] JobQueueNoWorkers (critical, local)", "firing", ["JobQueueNoWorkers"]),
        ("[FIRING:12] JobQueueDepthHigh", "firing", ["JobQueueDepthHigh"]),
        ("[RESOLVED] JobQueueDepthHigh (warning, local)", "resolved", ["JobQueueDepthHigh"]),
        ("[FIRING:2]  (warning, local)", "firing", []),
    ],
)
def test_a_slack_title_gives_status_and_alert(title: str, status: str, names: list[str]) -> None:
    _, notification = parse(json.dumps(slack(title)).encode())

    assert (notification.kind, notification.status) == (NotificationKind.SLACK, status)
    assert [(alert.alertname, alert.status) for alert in notification.alerts] == [(name, status) for name in names]


def test_a_webhook_gives_every_alert_with_its_labels() -> None:
    _, notification = parse(json.dumps(webhook(("A", "resolved"), ("B", "firing"))).encode())

    assert (notification.kind, notification.status) == (NotificationKind.WEBHOOK, "firing")
    assert [(alert.alertname, alert.status) for alert in notification.alerts] == [("A", "resolved"), ("B", "firing")]
    assert notification.alerts[0].labels == {"alertname": "A", "queue": "default"}


MALFORMED = [
    b"",
    b"no json",
    b"\xff\xfe",
    b"[]",
    b"{}",
    b'{"alerts": []}',
    b'{"alerts": [1], "status": "firing"}',
    b'{"alerts": [{"labels": {}}], "status": "firing"}',
    b'{"alerts": [{"labels": {"alertname": "A"}, "status": "burning"}], "status": "firing"}',
    b'{"attachments": []}',
    b'{"attachments": [{"title": "Hello"}]}',
    b'{"attachments": [{"title": null}]}',
    b'{"alerts": NaN}',
    b'{"attachments": [{"title": "[FIRING:1] A", "text": "\\ud800"}]}',
    b'{"attachments": [{"title": "[FIRING:1] A"}], "x": ' + b"[" * 200 + b"]" * 200 + b"}",
    b"[" * 100_000,
    b"9" * 10_000,
    b'{"x": "' + b"a" * LARGEST + b'"}',
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_body_is_refused_and_recorded(body: bytes) -> None:
    client = client_of()
    answer = client.post("/deliver/a", content=body)
    (record,) = client.get("/deliveries").json()

    assert answer.status_code == 400
    assert (record["kind"], record["status"], record["alerts"]) == ("malformed", "malformed", [])
    assert record["error"] == answer.text
    assert len(record["payload"]) <= 2000


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
# Almost valid documents: the right keys with any values.
documents = st.fixed_dictionaries(
    {},
    optional={
        "alerts": json_values
        | st.lists(st.fixed_dictionaries({}, optional={"labels": json_values, "status": json_values}), max_size=3),
        "status": st.sampled_from(["firing", "resolved"]) | json_values,
        "attachments": json_values | st.lists(st.fixed_dictionaries({}, optional={"title": json_values}), max_size=2),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | documents.map(lambda document: json.dumps(document).encode()))
def test_no_body_breaks_the_receiver(body: bytes) -> None:
    """Every body is answered with 200 or 400, and is listed afterwards."""
    client = client_of()

    assert client.post("/deliver/a", content=body).status_code in (200, 400)
    assert len(client.get("/deliveries").json()) == 1


@settings(deadline=None)
@given(st.binary())
def test_the_parser_raises_only_one_kind_of_error(body: bytes) -> None:
    try:
        parse(body)
    except MalformedError as error:
        assert str(error)  # noqa: PT017 -- either outcome is fine, another exception is not


def test_queries_filter_by_every_field() -> None:
    clock = Clock(100.0)
    client = client_of(clock=clock)
    client.post("/deliver/web", json=webhook(("A", "firing"), ("B", "resolved")))
    clock.now = 200.0
    client.post("/deliver/slack", json=slack("[RESOLVED] A"))

    def found(**parameters: object) -> list[float]:
        return [one["received_at"] for one in client.get("/deliveries", params=parameters).json()]

    assert found() == [100.0, 200.0]
    assert found(channel="slack") == [200.0]
    assert found(channel="other") == []
    assert found(alertname="A") == [100.0, 200.0]
    assert found(alertname="A", status="resolved") == [200.0]
    assert found(alertname="B", status="firing") == []  # B is resolved, although its message as a whole is firing
    assert found(status="firing") == [100.0]
    assert found(since=150) == [200.0]
    assert client.get("/deliveries", params={"status": "burning"}).status_code == 422


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "deliveries.jsonl"
    before = client_of(file, Clock(5.0))
    before.post("/deliver/web", json=webhook(("A", "firing")))
    before.post("/deliver/web", content=b"broken")
    shown = before.get("/deliveries").json()

    assert client_of(file).get("/deliveries").json() == shown
    assert len(shown) == 2


def test_only_a_half_written_line_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "deliveries.jsonl"
    client_of(file).post("/deliver/web", json=webhook(("A", "firing")))
    with file.open("a") as sink:
        sink.write('{"received_at": 1, "chan')
    after = client_of(file)
    after.post("/deliver/web", json=webhook(("B", "firing")))

    assert len(client_of(file).get("/deliveries").json()) == 2


def test_without_a_writable_file_deliveries_stay_in_memory(tmp_path: Path) -> None:
    client = client_of(tmp_path / "missing" / "deliveries.jsonl")

    assert client.post("/deliver/web", json=webhook(("A", "firing"))).status_code == 200
    assert len(client.get("/deliveries").json()) == 1


def test_memory_and_file_are_bounded_per_channel(tmp_path: Path) -> None:
    file = tmp_path / "deliveries.jsonl"
    log = DeliveryLog(file, kept_per_channel=3)
    log.add(Delivery(received_at=0, channel="rare", kind="slack", status="firing"))
    for number in range(1, 100):
        log.add(Delivery(received_at=number, channel="often", kind="slack", status="firing"))

    assert [one.received_at for one in log.find()] == [0, 97, 98, 99]
    assert len(file.read_text().splitlines()) <= 8
    assert [one.received_at for one in DeliveryLog(file, kept_per_channel=3).find()] == [0, 97, 98, 99]


def test_deleting_clears_memory_and_file(tmp_path: Path) -> None:
    file = tmp_path / "deliveries.jsonl"
    client = client_of(file)
    client.post("/deliver/web", json=webhook(("A", "firing")))

    assert client.delete("/deliveries").json() == {"deleted": 1}
    assert client.get("/deliveries").json() == []
    assert file.read_text() == ""


def test_the_requested_number_of_deliveries_fails_and_is_counted() -> None:
    client = client_of()
    client.post("/fail-next", params={"count": 2})
    codes = [client.post("/deliver/web", json=webhook(("A", "firing"))).status_code for _ in range(3)]
    metrics = client.get("/metrics").text

    assert codes == [500, 500, 200]
    assert len(client.get("/deliveries").json()) == 1
    assert 'receiver_deliveries_total{channel="web",status="refused"} 2.0' in metrics
    assert 'receiver_deliveries_total{channel="web",status="firing"} 1.0' in metrics
    assert "_created" not in metrics


@pytest.mark.parametrize("channel", ["a b", "x" * 64, "ü"])
def test_a_channel_is_a_plain_name(channel: str) -> None:
    client = client_of()

    assert client.post(f"/deliver/{channel}", json=webhook(("A", "firing"))).status_code == 422
    assert client.get("/deliveries").json() == []
