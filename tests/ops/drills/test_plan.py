"""The plan of a drill: how long an alert may take, and which channels it notifies."""

from dataclasses import replace
from typing import Any

import pytest

from alerting.model import AlertOverride
from ops import environment
from ops.clients.signals import Delivery
from ops.drills import faults, simulated_series, wait_times
from ops.drills.deployed import Recording, content
from ops.drills.plan import Waits, from_files, recorded
from ops.drills.wait_times import ERROR_LINES, ERROR_LOG_ANOMALOUS, ERROR_LOG_BURST, LINES_ARRIVE
from ops.errors import OpsError, UsageError
from simulator.engine.faults import Fault
from simulator.engine.signals import Events
from simulator.systems import series_files
from simulator.systems.series_files import Series, SeriesError


def test_the_limit_is_one_scrape_and_two_seconds_above_the_waits() -> None:
    waits = Waits(scrape=5, evaluation=6, for_=7, group_wait=1, group_interval=9)

    assert (waits.allowed, waits.limit) == (19, 26)


def test_the_time_that_a_fault_needs_is_allowed_too() -> None:
    waits = Waits(scrape=10, rise=100, evaluation=5, for_=5, group_wait=1, group_interval=9)

    assert (waits.allowed, waits.limit) == (121, 133)


def test_recording_rules_delay_the_alerts_that_read_them() -> None:
    """A chain of recording rules delays by the sum of its intervals; of several chains the longest counts."""
    recordings = {
        "a:b:rate5m": Recording(expression="rate(b_total[5m])", interval=None),
        "a:b:ratio": Recording(expression="a:b:rate5m / a:c:rate5m", interval=60),
        "a:c:rate5m": Recording(expression="rate(c_total[5m])", interval=120),
    }

    assert recorded("b_total > 1", recordings, 5) == 0
    assert recorded("a:b:rate5m > 1", recordings, 5) == 5
    assert recorded('a:b:ratio{x="y"} > 1', recordings, 5) == 180


def test_every_alert_is_drilled_and_has_a_kind_of_proof() -> None:
    files = content(None)

    assert set(files.selected([])) == set(files.rules)
    for name in files.selected([]):
        assert faults.not_caused(name, files.system(name)) is None, name
    assert faults.kind("TargetDown") == "real"
    assert faults.kind("LokiRequestErrors") == "simulated series"
    assert faults.kind("AlertsOnMissingMetrics") == "simulated workload"
    assert faults.kind("Watchdog") == "always fires"
    assert faults.programs("AlertsOnMissingMetrics", "platform") == ("job-queue",)
    assert faults.programs("MediaUploadSlow", "media-upload") == ("media-upload",)
    assert faults.programs("LokiRequestErrors", "platform") == ("platform",)
    assert faults.programs("TargetDown", "platform") == ()


def test_an_alert_of_a_system_without_a_simulation_is_not_drilled() -> None:
    why = faults.not_caused("ShopDown", "shop")
    assert (
        why == "nothing makes it fire: shop has no simulated program, and simulator/series/*.yaml has no series for it"
    )


def test_simulated_series_are_enough_to_drill_an_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    series = Series(faults=(Fault(alert="ShopDown", text="", signals=(Events(metric="m", burst=1),)),))
    monkeypatch.setattr(simulated_series, "load", lambda: series)

    assert faults.not_caused("ShopDown", "shop") is None
    assert faults.programs("ShopDown", "shop") == ("platform",)
    assert faults.kind("ShopDown") == "simulated series"


def test_an_alert_with_simulated_series_awaits_their_program_and_the_second_sample_of_a_counter() -> None:
    stack = environment.load("local")
    (level,) = from_files(content(stack), stack, ["NodeMemoryHigh"])
    (counter,) = from_files(content(stack), stack, ["NodeCPUHigh"])

    assert level.probe == counter.probe == 'up{app="platform-faults"}'
    assert (level.waits.rise, counter.waits.rise) == (0, counter.waits.scrape)


def test_wrong_files_of_series_are_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Series:
        raise SeriesError(["simulator/series/shop.yaml: A.text: required, but missing"])

    monkeypatch.setattr(series_files, "load", refuse)
    simulated_series.load.cache_clear()
    with pytest.raises(OpsError, match=r"shop\.yaml: A\.text"):
        faults.kind("ShopDown")


def test_a_selection_is_by_system_and_by_name() -> None:
    files = content(None)

    assert set(files.selected([], "api")) == {"ApiServiceDown", "ApiErrorRateHigh", "ApiLatencyHigh"}
    assert files.selected(["ApiLatencyHigh", "TargetDown"], "api") == ("ApiLatencyHigh",)
    with pytest.raises(UsageError, match=r"'moon'; there are: .*job-queue"):
        files.selected([], "moon")
    with pytest.raises(UsageError, match=r"unknown alert Nope; known: .*Watchdog"):
        files.selected(["Nope"])


def test_log_lines_need_time_to_fill_the_window_of_their_rule() -> None:
    """The time follows the threshold that the stack has, with its overrides."""
    files = content(None)
    lower = {ERROR_LOG_BURST: AlertOverride(thresholds={"lines_per_minute": 4})}

    assert files.rise(ERROR_LOG_BURST) == 100
    assert replace(files, overrides=lower).rise(ERROR_LOG_BURST) == 40
    assert files.rise(ERROR_LOG_ANOMALOUS) == 5
    assert files.rise("JobQueueRedisErrors") == 0


def test_the_plan_of_an_alert_on_log_lines_waits_for_lines() -> None:
    stack = environment.load("local")
    lines, metric = from_files(content(stack), stack, [ERROR_LOG_BURST, "JobQueueRedisErrors"])[::-1]

    assert (lines.engine, lines.waits.scrape, lines.waits.rise) == ("loki", LINES_ARRIVE, 100)
    assert (metric.engine, metric.waits.scrape, metric.waits.rise) == ("prometheus", 5, 0)
    assert set(ERROR_LINES) == {ERROR_LOG_BURST, ERROR_LOG_ANOMALOUS}


def test_the_tables_of_times_name_existing_alerts() -> None:
    assert {*wait_times.RISES, *wait_times.WINDOWS} <= set(content(None).rules)


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (90, "90s"), (120, "2m"), (3600, "1h"), (21600, "6h")])
def test_durations_are_written_in_their_usual_unit(seconds: float, text: str) -> None:
    assert wait_times.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("kind", "payload", "channel"),
    [
        ("slack", {"channel": "#platform-alerts"}, "path"),  # Slack ignores it
        ("card", {"type": "message"}, "path"),
        ("webhook", {"receiver": "job-queue-webhook"}, "job-queue-webhook"),
        ("webhook", {}, "path"),
        ("pagerduty", {"payload": {"custom_details": {"receiver": "oncall-pagerduty"}}}, "oncall-pagerduty"),
        ("pagerduty", {"payload": {}}, "path"),
        ("email", {"headers": {"x-alertmanager-receiver": "media-email"}}, "media-email"),
        ("email", {"headers": {}}, "path"),
        ("email", "no mail at all", "path"),
    ],
)
def test_the_payload_decides_the_channel(kind: str, payload: Any, channel: str) -> None:
    delivery = Delivery(received_at=0, channel="path", kind=kind, status="firing", alerts=(), payload=payload)

    assert delivery.receiver == channel


def test_ranges_behind_recorded_series_count_too() -> None:
    files = content(None)
    recordings = {name: one.expression for name, one in files.recordings.items()}
    assert wait_times.window(files.rules["MediaReconciliationErrors"], recordings) == 600
    assert wait_times.window(files.rules["MediaReconciliationErrors"], {}) == 0


@pytest.mark.parametrize(("for_", "evaluation", "held"), [(5, 120, 120), (5, 5, 5), (0, 30, 0), (90, 60, 120)])
def test_an_alert_fires_at_the_first_evaluation_after_its_for(for_: float, evaluation: float, held: float) -> None:
    assert wait_times.held(for_, evaluation) == held
