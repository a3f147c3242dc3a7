"""How long an alert may take, and where it goes, read from a live configuration."""

from typing import Any

import pytest

from ops.clients import Delivery
from ops.errors import OpsError, UsageError
from ops.plan import SYSTEMS, Waits, content, route_times
from simulator import job_queue

CONFIG: dict[str, Any] = {
    "route": {
        "receiver": "fallback",
        "group_wait": "30s",
        "group_interval": "5m",
        "routes": [
            {"receiver": "switch", "matchers": ['alertname="Watchdog"'], "group_wait": "0s"},
            {"receiver": "chat", "matchers": ['system=~"job-queue|media"'], "continue": True, "group_wait": "10s"},
            {"receiver": "hook", "matchers": ['system="job-queue"', 'page!="true"'], "group_interval": "1m"},
            {"receiver": "never", "matchers": ['system="job-queue"']},
        ],
    }
}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"alertname": "Watchdog"}, {"switch": (0, 300)}),
        ({"alertname": "A", "system": "job-queue", "page": "false"}, {"chat": (10, 300), "hook": (30, 60)}),
        ({"alertname": "A", "system": "job-queue", "page": "true"}, {"chat": (10, 300), "never": (30, 300)}),
        ({"alertname": "A", "system": "job"}, {"fallback": (30, 300)}),
    ],
)
def test_route_times_follow_the_routes_as_alertmanager_does(
    labels: dict[str, str], expected: dict[str, tuple[float, float]]
) -> None:
    assert route_times(CONFIG, labels) == expected


def test_a_matcher_that_cannot_be_read_is_an_error() -> None:
    config = {"route": {"receiver": "a", "routes": [{"receiver": "b", "matchers": ["???"]}]}}

    with pytest.raises(OpsError, match=r"\?\?\?"):
        route_times(config, {})


def test_the_quality_bar_is_one_scrape_and_two_seconds() -> None:
    waits = Waits(scrape=5, evaluation=6, for_=7, group_wait=1, group_interval=9)

    assert (waits.allowed, waits.limit) == (19, 26)


def test_every_alert_of_a_simulated_system_has_a_fault() -> None:
    assert set(content(None).selected([])) == {fault.alert for fault in job_queue.FAULTS}


def test_every_simulated_system_is_known_by_an_exported_gauge() -> None:
    gauges = {metric.name for metric in job_queue.METRICS if metric.kind == "gauge"}

    assert set(SYSTEMS.values()) <= gauges


def test_an_alert_without_a_fault_is_no_drill() -> None:
    with pytest.raises(UsageError, match="Watchdog"):
        content(None).selected(["Watchdog"])


@pytest.mark.parametrize(
    ("kind", "payload", "channel"),
    [
        ("slack", {"channel": "#platform-alerts"}, "platform-slack"),
        ("slack", {"channel": "#somewhere"}, "path"),
        ("webhook", {"receiver": "job-queue-webhook"}, "job-queue-webhook"),
        ("webhook", {}, "path"),
    ],
)
def test_the_payload_tells_the_channel(kind: str, payload: dict[str, str], channel: str) -> None:
    delivery = Delivery(received_at=0, channel="path", kind=kind, status="firing", alerts=(), payload=payload)

    assert content(None).channel_of(delivery) == channel
