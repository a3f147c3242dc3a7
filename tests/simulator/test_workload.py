"""The workload: floods, dilutions, stops, hidden metrics, temporary series, and histograms with bulk updates."""

import pytest
from prometheus_client import CollectorRegistry

from simulator.engine.collectors import BulkHistogram
from simulator.engine.history import History
from simulator.engine.signals import (
    Dilution,
    Durations,
    Events,
    Flood,
    Level,
    Metric,
    MetricKind,
    Signal,
    Stop,
    relabelled,
)
from simulator.engine.workload import LARGEST_FLOOD, LINGER, SPREAD, Workload

GOOD = Events(metric="e_total", labels={"s": "good"}, per_second=1.0)
BAD = Events(metric="e_total", labels={"s": "bad"}, bad=True)
METRICS = (
    Metric(name="e_total", kind=MetricKind.COUNTER, text="", labels=("s",)),
    Metric(name="d_seconds", kind=MetricKind.HISTOGRAM, text="", buckets=(1.0, 10.0)),
    Metric(name="g", kind=MetricKind.GAUGE, text="", labels=("s",)),
    Metric(name="p_bytes", kind=MetricKind.PLAIN_COUNTER, text="", labels=("s",), passing=True),
    Metric(name="p_total", kind=MetricKind.COUNTER, text="", labels=("s",), passing=True),
)


class Run:
    """A workload with a clock that the test moves."""

    def __init__(self, *healthy: Signal) -> None:
        self.now = 0.0
        self.workload = Workload(METRICS, healthy or (GOOD, BAD), clock=lambda: self.now)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 60)):
            self.now += 60
            self.workload.advance()

    def value(self, name: str, **labels: str) -> float | None:
        return self.workload.registry.get_sample_value(name, labels)

    def counts(self) -> tuple[float | None, float | None]:
        return self.value("e_total", s="good"), self.value("e_total", s="bad")


def flood(**changes: float) -> Flood:
    values = {"share": 0.5, "times": 2.0, "window": 600.0} | changes
    return Flood(good=GOOD, bad=BAD, least=10, **values)  # type: ignore[arg-type]


def test_a_flood_is_as_large_as_its_window_requires() -> None:
    run = Run()
    run.pass_time(3600)
    run.workload.add("f", [flood()])

    # The window of 600 s holds up to 660 events, rounded up to whole minutes. The flood is twice that, half of it bad.
    assert run.counts() == (3600 + 660, 660)


def test_a_flood_without_earlier_events_has_its_least_size() -> None:
    run = Run()
    run.workload.add("f", [flood()])
    assert run.counts() == (5, 5)


def test_a_dilution_adds_the_missing_events_and_never_removes_any() -> None:
    run = Run()
    run.workload.add("f", [flood()])
    run.workload.remove("f", after=[Dilution(good=GOOD, share=0.01, window=600)])
    assert run.counts() == (495, 5)

    run.workload.add("f", [])
    run.workload.remove("f", after=[Dilution(good=GOOD, share=0.5, window=600)])
    assert run.counts() == (495, 5)


def test_floods_stay_below_the_limit_of_a_counter() -> None:
    run = Run()
    run.workload.add("f", [flood(times=1e15), flood(times=1e15)])
    run.workload.add("again", [flood(times=1e15)])
    good, bad = run.counts()
    assert good is not None
    assert bad is not None
    assert good + bad <= 3 * LARGEST_FLOOD


def test_stopped_events_continue_afterwards() -> None:
    run = Run()
    run.workload.add("stop", [Stop(metric="e_total", labels={"s": "good"})])
    run.pass_time(60)
    assert run.counts()[0] == 0
    run.workload.remove("stop")
    run.pass_time(60)
    assert run.counts()[0] == 60


def test_a_hidden_metric_keeps_counting() -> None:
    run = Run()
    run.workload.add("a", (), hides=["e_total"])
    run.workload.add("b", (), hides=["e_total"])
    run.pass_time(60)
    run.workload.remove("a")
    assert run.counts() == (None, None)
    run.workload.remove("b")
    assert run.counts() == (60, 0)


def test_hiding_an_unknown_metric_is_an_error_and_changes_nothing() -> None:
    run = Run()
    with pytest.raises(KeyError):
        run.workload.add("a", [BAD], hides=["x"])
    run.workload.add("a", [Events(metric="e_total", labels={"s": "bad"}, burst=3)])
    assert run.counts() == (0, 3)


@pytest.mark.parametrize("name", ["p_total", "p_bytes"])
def test_a_passing_counter_ends_after_its_fault_and_starts_again_at_zero(name: str) -> None:
    run = Run()
    signal = Events(metric=name, labels={"s": "x"}, burst=7)
    run.workload.add("f", [signal])
    run.workload.remove("f")
    run.pass_time(LINGER - 60)
    assert run.value(name, s="x") == 7
    run.workload.add("f", [signal])  # just in time
    run.pass_time(120)
    assert run.value(name, s="x") == 14
    run.workload.remove("f")
    run.pass_time(LINGER)
    assert run.value(name, s="x") is None
    run.workload.add("f", [signal])
    assert run.value(name, s="x") == 7


def test_a_level_may_have_a_value_after_its_fault() -> None:
    run = Run()
    level = Level(metric="g", labels={"s": "x"}, value=5)
    run.workload.add("f", [level])
    run.workload.remove("f", after=[Level(metric="g", labels={"s": "x"}, value=8)])
    assert run.value("g", s="x") == 8
    run.pass_time(LINGER)
    assert run.value("g", s="x") is None


@pytest.mark.parametrize("counts", [(1, 1, 1), (3, 4), (7,), (0, 5, 12, 1)])
def test_durations_are_spread_evenly_over_all_bursts(counts: tuple[int, ...]) -> None:
    run = Run(Durations(metric="d_seconds", median=1.0))
    for number, count in enumerate(counts):
        run.workload.add(str(number), [Durations(metric="d_seconds", median=1.0, burst=count)])
    expected = [SPREAD[number % len(SPREAD)] for number in range(sum(counts))]

    assert run.value("d_seconds_count") == len(expected)
    assert run.value("d_seconds_sum") == pytest.approx(sum(expected))
    assert run.value("d_seconds_bucket", le="1.0") == sum(one <= 1 for one in expected)
    assert run.value("d_seconds_bucket", le="+Inf") == len(expected)


def test_a_bulk_histogram_includes_its_bounds_and_can_be_removed() -> None:
    registry = CollectorRegistry()
    histogram = BulkHistogram("h", "", ["a"], buckets=(1.0, 2.0), registry=registry)
    histogram.observe(["x"], 2.0, 10**9)
    assert registry.get_sample_value("h_bucket", {"a": "x", "le": "1.0"}) == 0
    assert registry.get_sample_value("h_bucket", {"a": "x", "le": "2.0"}) == 10**9
    histogram.remove(["x"])
    assert registry.get_sample_value("h_count", {"a": "x"}) is None


def test_history_forgets_after_three_days() -> None:
    history = History()
    history.follow("m")
    for day in range(5):
        history.add("m", 10, bad=day == 4, now=day * 86_400.0)
    history.add("other", 1, bad=True, now=0.0)

    assert history.counted("m", 3 * 86_400.0, 4 * 86_400.0) == (40, 10)
    assert history.counted("m", 10 * 86_400.0, 4 * 86_400.0) == (40, 10)
    with pytest.raises(KeyError):
        history.counted("other", 60, 0)


def test_relabelling_leaves_floods_alone() -> None:
    assert relabelled(BAD, "s", "x").labels == {"s": "x"}
    assert relabelled(flood(), "s", "x") == flood()
