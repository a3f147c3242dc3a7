"""The load test: wrk's figures, the criteria, and the picture."""

import os
import time
from xml.etree import ElementTree

import httpx
import pytest

from instrumentation.bench import load
from instrumentation.bench.load import Load, judged, together
from instrumentation.bench.load_plot import plot


def one(name: str, *, median: float = 0.002, p99: float = 0.01, cpu: float = 0.05, failed: int = 0) -> Load:
    return Load(variant=name, requests=100, failed=failed, percentiles={"50": median, "99": p99}, cpu=cpu)


def test_a_real_load_on_both_services_is_measured() -> None:
    program = load.wrk()
    for variant in load.VARIANTS.values():
        with load.service(variant) as (url, process):
            found = load.measure(program, variant, url, process, rate=50, seconds=1)
            metrics = httpx.get(f"{url}/metrics").status_code
        assert found.requests > 5
        assert found.failed == 0
        assert list(found.percentiles) == [f"{key:g}" for key in load.PERCENTILES]
        assert sorted(found.percentiles.values()) == list(found.percentiles.values())
        assert 0 <= found.cpu < 1
        assert metrics == (200 if variant == "instrumented" else 404)


@pytest.mark.parametrize(
    ("instrumented", "failing"),
    [
        ({}, set()),
        ({"p99": 1.0}, {"p99"}),
        ({"median": 0.0071}, {"median that is added"}),
        ({"cpu": 0.081}, {"CPU that is added, of a core"}),
        ({"failed": 1}, {"failed requests"}),
    ],
)
def test_each_criterion_can_fail(instrumented: dict[str, float], failing: set[str]) -> None:
    verdicts = judged(one("without"), one("instrumented", **instrumented))  # type: ignore[arg-type]
    assert {criterion for criterion, _, _, holds in verdicts if not holds} == failing


def test_one_unlucky_round_does_not_decide() -> None:
    merged = together("x", [one("x"), one("x", median=3.0, cpu=0.9), one("x", failed=1)])
    assert (merged.requests, merged.failed, merged.percentiles["50"], merged.cpu) == (300, 1, 0.002, 0.05)


def test_the_clock_of_a_process_is_its_own() -> None:
    before = load.cpu_seconds(os.getpid())
    while time.process_time() < 0.3:
        pass
    assert 0 <= load.cpu_seconds(os.getpid()) - before < 60


def test_the_picture_has_a_line_for_each() -> None:
    drawn = plot({"a": {"50": 0.001, "99": 0.01}, "b": {"50": 0.002, "99": 0.0}})
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2
