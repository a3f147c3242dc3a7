"""The benchmark of the instrumentation measures every variant, and fails when ours costs more than a peer.

How much each costs depends on the machine, so `make bench-middleware` measures it and no test does.
"""

from dataclasses import replace
from typing import Any

import pytest

from instrumentation.bench import middleware_costs
from instrumentation.bench.bench_middleware import broken
from instrumentation.bench.middleware_costs import EVERYTHING, NONE, OPENTELEMETRY, OURS, PEERS, Cost, Memory

SERIES_OF_A_ROUTE = 21
"""Ours: a counter, its status, a histogram of 13 buckets with sum and count, two sizes with sum and count."""
COSTS = {name: Cost(name=name, median=2e-5, p99=1e-4, cpu=2e-5) for name in (NONE, OURS, EVERYTHING)}
COSTS |= {name: Cost(name=name, median=9e-5, p99=1e-4, cpu=9e-5) for name in (OPENTELEMETRY, *PEERS)}
MEMORY = {name: Memory(name=name, series=1000, used=2**20) for name in (OURS, EVERYTHING)}
MEMORY |= {name: Memory(name=name, series=1000, used=2**21) for name in PEERS}


def test_every_variant_answers_and_is_measured() -> None:
    found = {one.name: one for one in middleware_costs.costs(middleware_costs.ROUND)}
    assert found.keys() == {NONE, OURS, EVERYTHING, OPENTELEMETRY, *PEERS}
    for one in found.values():
        assert 0 < one.median <= one.p99, one.name
        assert one.cpu > 0, one.name


def test_the_series_of_every_variant_are_counted() -> None:
    found = {one.name: one for one in middleware_costs.memory(label_sets=20)}
    assert found.keys() == {OURS, EVERYTHING, *PEERS}
    # The first of the routes is asked before the count begins.
    assert found[OURS].series == found[EVERYTHING].series == 20 * SERIES_OF_A_ROUTE
    for one in found.values():
        assert one.series >= 20, one.name


@pytest.mark.parametrize(
    ("costs", "memory", "criterion"),
    [
        ({OURS: {"median": 0.006}}, {}, "the median that observability-fastapi adds is less than 5 ms"),
        ({OURS: {"p99": 1.5}}, {}, "the p99 of observability-fastapi is less than 1 s"),
        ({PEERS[0]: {"median": 1e-5}}, {}, f"observability-fastapi adds less to the median than {PEERS[0]}"),
        ({PEERS[1]: {"cpu": 1e-5}}, {}, f"observability-fastapi adds less CPU time than {PEERS[1]}"),
        ({OPENTELEMETRY: {"cpu": 1e-5}}, {}, f"{EVERYTHING} adds less CPU time than {OPENTELEMETRY}"),
        ({OPENTELEMETRY: {"median": 1e-5}}, {}, f"{EVERYTHING} adds less to the median than {OPENTELEMETRY}"),
        ({}, {EVERYTHING: {"used": 2**22}}, f"with exemplars too, take less memory than those of {PEERS[1]}"),
        ({}, {PEERS[0]: {"series": 9999}}, f"with exemplars too, take less memory than those of {PEERS[0]}"),
    ],
)
def test_each_criterion_can_fail(
    costs: dict[str, dict[str, Any]], memory: dict[str, dict[str, Any]], criterion: str
) -> None:
    assert broken(COSTS, MEMORY) == []
    changed = {name: replace(one, **costs.get(name, {})) for name, one in COSTS.items()}
    kept = {name: replace(one, **memory.get(name, {})) for name, one in MEMORY.items()}
    assert any(criterion in one for one in broken(changed, kept))
