"""The benchmark of the instrumentation measures what it says, and ours costs least of the three."""

from ops import middleware_costs
from ops.middleware_costs import EVERYTHING, NONE, OURS, PEERS


def test_ours_adds_least_to_a_request() -> None:
    found = {one.name: one for one in middleware_costs.costs(1000)}
    none, ours = found[NONE], found[OURS]
    assert found.keys() == {NONE, OURS, EVERYTHING, *PEERS}
    for peer in (found[name] for name in PEERS):
        assert ours.median - none.median < peer.median - none.median
        assert ours.cpu - none.cpu < peer.cpu - none.cpu
    # The bars of the load test, which a request in a driver passes a hundred times over.
    assert ours.median - none.median < 0.005
    assert ours.p99 < 1


def test_the_series_of_ours_take_least_memory_with_exemplars_too() -> None:
    found = {one.name: one for one in middleware_costs.memory()}
    dearest = max(found[OURS].per_thousand, found[EVERYTHING].per_thousand)
    assert found[OURS].series >= middleware_costs.LABEL_SETS * 17
    assert dearest < min(found[name].per_thousand for name in PEERS)
