"""How much of Prometheus the monitors of a namespace take."""

from components.metrics.monitors import shares
from components.metrics.monitors.convert import Job, Monitor
from components.metrics.monitors.shares import Shares
from settings import sizes
from tests.components.metrics.monitors.cases import LISTED, MEMORY

JOB = Job(b"{}", 1)
CLUSTER, NAMESPACE = sizes.monitored_endpoints(MEMORY)


def monitor(namespace: str, number: int) -> Monitor:
    return Monitor("PodMonitor", namespace, f"m{number}")


def shares_of(listed: tuple[str, ...] = ()) -> Shares:
    return Shares(CLUSTER, NAMESPACE, listed)


def filled(found: Shares, namespace: str, monitors: int, endpoints: int = 1) -> list[str | None]:
    return [found.add(monitor(namespace, number), [JOB] * endpoints) for number in range(monitors)]


def test_an_endpoint_is_a_unit_and_long_ones_are_more() -> None:
    assert shares.units([JOB, JOB]) == 2
    assert shares.units([Job(b"x" * 20_000, 1)]) == 3
    # Few letters may be a large program in memory.
    assert shares.units([Job(b"{}", 100_000)]) > 100


def test_the_bounds_follow_the_memory_of_prometheus() -> None:
    assert sizes.monitored_endpoints(2**31) == (1048, 100)
    assert sizes.monitored_endpoints(2**29) == (262, 26)
    assert sizes.monitored_endpoints(2**40) == (2000, 100)
    small = sizes.monitored_endpoints(2**27)
    assert small == (65, 6)


def test_a_namespace_has_no_more_than_its_share() -> None:
    found = shares_of()
    assert [why is None for why in filled(found, "shop", NAMESPACE + 1)] == [True] * NAMESPACE + [False]
    assert filled(found, "media", 1) == [None]
    jobs, rest = found.kept()
    assert (len(jobs), rest) == (NAMESPACE + 1, {})


def test_a_monitor_is_kept_as_a_whole_or_not_at_all() -> None:
    found = shares_of()
    assert filled(found, "shop", 1, NAMESPACE - 1) == [None]
    (why,) = filled(found, "shop", 1, 2)
    assert why
    assert f"take {NAMESPACE - 1} of {NAMESPACE} units, and it takes 2" in why
    assert filled(found, "shop", 1, 1) == [None]


def test_a_listed_namespace_may_take_more() -> None:
    found = shares_of((LISTED,))
    assert set(filled(found, LISTED, 5 * NAMESPACE)) == {None}
    assert len(found.kept()[0]) == 5 * NAMESPACE


def test_many_namespaces_share_alike_and_none_crowds_out_another() -> None:
    found = shares_of()
    # The names of the greedy ones come first in every list.
    for number in range(CLUSTER // NAMESPACE + 1):
        filled(found, f"a{number}", NAMESPACE)
    filled(found, "shop", 20)
    jobs, rest = found.kept()
    assert len(jobs) <= CLUSTER
    assert not [monitor for monitor in rest if monitor.namespace == "shop"]
    left = {monitor.namespace for monitor in rest}
    assert left == {f"a{number}" for number in range(CLUSTER // NAMESPACE + 1)}
    assert all("each namespace has 9" in why for why in rest.values())


def test_no_more_is_remembered_than_can_be_kept() -> None:
    found = shares_of()
    results = [why for number in range(50) for why in filled(found, f"n{number}", NAMESPACE)]
    assert sum(why is None for why in results) == CLUSTER * 3 // 2
    assert len(found.kept()[0]) <= CLUSTER
