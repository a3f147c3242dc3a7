"""How long an alert may take, and where it goes, read from a live configuration."""

from dataclasses import replace
from typing import Any

import pytest

from components.simulator import PROGRAMS
from ops import environment
from ops.clients import Delivery
from ops.errors import OpsError, UsageError
from ops.faults import NOT_CAUSED
from ops.plan import (
    ERROR_LINES,
    ERROR_LOG_BURST,
    LINES_ARRIVE,
    SYSTEMS,
    Waits,
    content,
    from_files,
    route_times,
)
from rules.model import AlertOverride
from simulator import job_queue, speccursor

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


def test_what_the_fault_needs_is_allowed_too() -> None:
    waits = Waits(scrape=10, rise=100, evaluation=5, for_=5, group_wait=1, group_interval=9)

    assert (waits.allowed, waits.limit) == (121, 133)


def test_every_alert_of_a_simulated_system_has_a_fault() -> None:
    caused = {fault.alert for fault in (*job_queue.FAULTS, *speccursor.FAULTS)}
    files = content(None)

    assert set(files.selected([], "job-queue")) == {fault.alert for fault in job_queue.FAULTS}
    assert set(files.selected([], "speccursor")) - caused == set(NOT_CAUSED)


def test_without_a_system_all_are_drilled_that_have_a_fault() -> None:
    files = content(None)

    assert set(files.selected([])) == {name for system in SYSTEMS for name in files.selected([], system)}
    with pytest.raises(UsageError, match=r"'media'.*job-queue, speccursor, platform"):
        files.selected([], "media")


def test_every_simulated_system_is_known_by_an_exported_gauge() -> None:
    gauges = {metric.name for metric in job_queue.METRICS if metric.kind == "gauge"}

    assert SYSTEMS["job-queue"] in gauges
    # The pod of SpecCursor is its simulator; what Prometheus tells about itself is read by a rule, too.
    assert SYSTEMS["speccursor"] == f'up{{app="{PROGRAMS["speccursor"][0].app}"}}'
    assert SYSTEMS["platform"] in content(None).rules["PrometheusConfigReloadFailed"].expr


def test_an_alert_without_a_fault_is_no_drill() -> None:
    with pytest.raises(UsageError, match="Watchdog"):
        content(None).selected(["Watchdog"])
    assert "Watchdog" not in content(None).selected([])


def test_log_lines_need_time_to_fill_the_window_of_their_rule() -> None:
    """As many as the simulator really writes, and up to the limit that the stack really has."""
    (fault,) = (fault for fault in speccursor.FAULTS if fault.alert == ERROR_LOG_BURST)
    files = content(None)
    lower = {ERROR_LOG_BURST: AlertOverride(thresholds={"lines_per_minute": 4})}

    assert fault.amount is not None
    assert fault.amount.default == ERROR_LINES
    assert files.rise(ERROR_LOG_BURST) == 100
    assert replace(files, overrides=lower).rise(ERROR_LOG_BURST) == 40
    assert files.rise("JobQueueRedisErrors") == 0


def test_the_plan_of_an_alert_on_log_lines_waits_for_lines() -> None:
    stack = environment.load("local")
    lines, metric = from_files(content(stack), stack, [ERROR_LOG_BURST, "JobQueueRedisErrors"])[::-1]

    assert (lines.engine, lines.waits.scrape, lines.waits.rise) == ("loki", LINES_ARRIVE, 100)
    assert (metric.engine, metric.waits.scrape, metric.waits.rise) == ("prometheus", 5, 0)


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
