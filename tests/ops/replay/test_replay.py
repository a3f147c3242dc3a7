"""Two commits over the same recorded evening: what a change of rules or routes does to the people who are notified."""

from dataclasses import replace
from datetime import UTC

import pytest

from ops.errors import OpsError, UsageError
from ops.replay import comparison, deployed
from ops.replay.changed import NO_LOGS
from ops.replay.comparison import Change, Comparison, Tally
from ops.replay.deployed import Deployed
from ops.replay.episodes import HOUR, MINUTE
from ops.replay.evaluation import Sources
from ops.replay.replay import replay
from tests.ops.replay.conftest import START, UNTIL, Recording
from tests.ops.review.edited import Copy

FILE = "rules/prometheus/orders.yaml"


def commit(copy: Copy) -> Deployed:
    return deployed.read(copy.folder, "staging", name="head")


@pytest.fixture(scope="module")
def old(base: Copy) -> Deployed:
    """The unchanged checkout."""
    return deployed.read(base.folder, "staging", name="base")


@pytest.fixture
def compared(server: Recording, old: Deployed, head: Copy) -> "Compare":
    return Compare(server, old, head)


class Compare:
    """Compares the edited checkout, or another commit, with the unchanged one."""

    def __init__(self, server: Recording, old: Deployed, head: Copy) -> None:
        self._server, self._old, self._head = server, old, head

    def __call__(
        self, *, since: int = START, until: int = UNTIL, head: Deployed | None = None, loki: str | None = None
    ) -> Comparison:
        sources = Sources(prometheus=self._server.url, loki=loki)
        found = replay(self._old, head or commit(self._head), sources, since=since, until=until)
        return comparison.compare(found, UTC)


def told(found: Comparison, change: Change) -> list[tuple[str, bool, int, float]]:
    """(receiver, fires, minute, minutes later) of the messages with this change."""
    return [
        (one.any.told.receiver, one.any.firing, (one.any.told.at - START) // MINUTE, round(one.later / MINUTE, 1))
        for one in found.pairs
        if one.change is change
    ]


def test_a_commit_does_not_differ_from_itself(compared: Compare) -> None:
    found = compared()

    assert not found.total.differs
    assert found.by_alert == {}
    assert found.by_receiver["oncall-pagerduty"].head == Tally(messages=2, pages=1, at_night=0, night_pages=0)
    assert found.by_receiver["orders-slack"].base.messages == 2
    assert "dead-mans-switch" not in found.by_receiver
    assert dict(found.replay.not_replayed) == {
        "SearchErrorLogAnomalous": NO_LOGS,
        "SearchErrorLogBurst": NO_LOGS,
        "Watchdog": "is the heartbeat, which both send alike",
        "JobQueueNoWorkers": "fired, and neither commit has its rule",
    }
    assert found.replay.notes == []


def test_a_restart_of_the_server_resolves_no_alert(compared: Compare) -> None:
    found = compared()

    (one,) = found.episodes(found.replay.head, "OrdersNoWorkers")
    assert found.seconds(one) == 60 * 60
    assert one.labels["cluster"] == "test-staging"


def test_a_longer_for_loses_the_short_episode_and_moves_the_long_one(compared: Compare, head: Copy) -> None:
    head.replace(FILE, "> 1000\n        for: 2m", "> 1000\n        for: 30m")
    found = compared()

    assert told(found, Change.NEW) == []
    lost, moved = told(found, Change.LOST), told(found, Change.MOVED)
    assert [one[:2] for one in lost] == [
        (who, fires) for fires in (True, False) for who in ("orders-slack", "orders-webhook")
    ]
    assert [(*one[:2], one[3]) for one in moved if one[1]] == [
        ("orders-slack", True, 28.0),
        ("orders-webhook", True, 28.0),
    ]
    alert = found.by_alert["OrdersDepthHigh"]
    assert (alert.base.messages, alert.head.messages, alert.base.pages) == (8, 4, 0)
    assert [len(found.episodes(side, "OrdersDepthHigh")) for side in (found.replay.base, found.replay.head)] == [2, 1]
    # Others are those that the server raised, and they are the same.
    assert found.by_receiver["oncall-pagerduty"].head.messages == 2


def test_an_alert_that_starts_to_page_wakes_somebody_at_night(compared: Compare, head: Copy) -> None:
    head.replace(
        FILE,
        'severity: warning, system: orders, team: orders, page: "false"',
        'severity: critical, system: orders, team: orders, page: "true"',
    )
    found = compared()

    pager = found.by_receiver["oncall-pagerduty"]
    # The second episode fires from 23:02 on, and resolves at midnight.
    assert (pager.base.pages, pager.head.pages, pager.base.night_pages, pager.head.night_pages) == (1, 3, 0, 1)
    assert pager.new == 4
    assert not found.by_receiver["orders-slack"].lost


def test_another_threshold_is_replayed(compared: Compare, head: Copy) -> None:
    head.replace(FILE, "> 1000", "> 2000")
    head.replace("rules/systems/orders.yaml", "pending_orders: 1000", "pending_orders: 2000")
    found = compared()

    assert found.total.lost == 4
    assert (found.total.new, found.total.moved) == (0, 0)
    assert found.replay.changed.replayed == {"OrdersDepthHigh"}


def test_a_route_that_loses_a_channel_loses_its_messages(compared: Compare, head: Copy) -> None:
    file = "rules/routing.yaml"
    head.replace(file, "channels: [orders-slack, orders-webhook]", "channels: [orders-slack]")
    head.replace(file, "  orders-webhook:\n    webhook: {url_secret: notificationWebhookUrl}\n", "")
    found = compared()

    assert [one[:2] for one in told(found, Change.LOST)] == [("orders-webhook", True), ("orders-webhook", False)]
    assert (found.total.new, found.total.moved) == (0, 0)
    assert found.by_receiver["orders-webhook"].head.messages == 0
    assert set(found.by_alert) == {"OrdersNoWorkers"}
    assert found.replay.changed.replayed == frozenset()


def test_a_heartbeat_that_is_routed_otherwise_is_replayed(compared: Compare, head: Copy) -> None:
    head.replace("rules/routing.yaml", "repeat_interval: 50s", "repeat_interval: 5m")
    found = compared()

    switch = found.by_receiver["dead-mans-switch"]
    assert switch.base.messages > 350
    assert 50 < switch.head.messages < 80
    assert "Watchdog" not in found.replay.not_replayed


def test_an_added_and_a_removed_alert_count_on_one_side(compared: Compare, old: Deployed) -> None:
    orders = old.rule_files["orders.yaml"].replace("OrdersDepthHigh", "OrdersPileUp")
    found = compared(head=replace(old, name="head", rule_files={**old.rule_files, "orders.yaml": orders}))

    alerts = found.by_alert
    assert (alerts["OrdersDepthHigh"].base.messages, alerts["OrdersDepthHigh"].head.messages) == (8, 0)
    assert (alerts["OrdersPileUp"].base.messages, alerts["OrdersPileUp"].head.messages) == (0, 8)


def test_series_that_the_head_records_anew_are_recorded_first(compared: Compare, head: Copy) -> None:
    for kind in ("failed", "completed"):
        head.replace(
            FILE,
            f"sum by (namespace, queue) (increase(orders_{kind}_total[5m]))",
            f"sum by (namespace) (increase(orders_{kind}_total[5m]))",
        )
    for text in ("Orders of queue {{ $labels.queue }} fail", "the orders of queue {{ $labels.queue }} failed"):
        head.replace(FILE, text, text.replace(" of queue {{ $labels.queue }}", ""))
    found = compared()

    alert = "OrdersFailureRateHigh"
    assert found.replay.changed.replayed == {alert}
    assert alert not in found.replay.not_replayed
    before, after = (found.episodes(side, alert) for side in (found.replay.base, found.replay.head))
    assert before == []
    (one,) = after
    # A fifth of five minutes after the first failure, and five minutes of `for`.
    assert 246 <= (one.starts - START) / MINUTE <= 247
    assert 273 <= (one.ends - START) / MINUTE <= 275
    assert {(who, fires) for who, fires, _, _ in told(found, Change.NEW)} == {
        (who, fires) for who in ("orders-slack", "orders-webhook", "oncall-pagerduty") for fires in (True, False)
    }
    # Nobody has recorded what the base reads; what the head reads is there.
    assert [one.split(":", 1)[1] for one in found.replay.notes] == [
        f" reads namespace_queue:orders_{kind}_total:new, of which Prometheus has no sample."
        for kind in ("completed", "failed")
    ]


def test_a_longer_for_of_an_alert_on_log_lines(compared: Compare, head: Copy, logs: str) -> None:
    head.replace("rules/loki/search.yaml", "> 10\n        for: 5m", "> 10\n        for: 20m")
    found = compared(loki=logs)

    burst = found.by_alert["SearchErrorLogBurst"]
    assert (burst.base.messages, burst.head.messages) == (2, 0)
    assert [one[:2] for one in told(found, Change.LOST)] == [("search-slack", True), ("search-slack", False)]
    (episode,) = found.episodes(found.replay.base, "SearchErrorLogBurst")
    # Ten lines a minute after half a minute of the first lines, and five minutes of `for`.
    assert 35 <= (episode.starts - START) / MINUTE <= 37
    assert 49 <= (episode.ends - START) / MINUTE <= 51
    assert episode.labels["cluster"] == "test-staging"
    # The other alert on log lines is the same on both sides, and was evaluated once.
    assert [
        len(found.episodes(side, "SearchErrorLogAnomalous")) for side in (found.replay.base, found.replay.head)
    ] == [1, 1]
    assert [cost.rule for cost in found.replay.costs].count("SearchErrorLogAnomalous") == 1
    assert not found.replay.not_replayed.keys() & {"SearchErrorLogBurst", "SearchErrorLogAnomalous"}
    assert found.replay.notes == []


def test_lines_that_are_not_there_are_told(compared: Compare, head: Copy, logs: str) -> None:
    head.replace("rules/loki/search.yaml", '{namespace="search"} | level="ERROR" [5m]', '{namespace="find"} [5m]')
    found = compared(loki=logs)

    # AlertsOnMissingMetrics changes with what alerts read, and misses many metrics of the evening.
    notes = [one for one in found.replay.notes if not one.startswith("AlertsOnMissingMetrics")]
    assert notes == ['SearchErrorLogBurst: reads {namespace="find"}, of which Loki has no line.']


def test_an_alert_whose_series_have_no_data_is_named(compared: Compare, head: Copy) -> None:
    head.replace(FILE, "> 0.2", "> 0.3")
    head.replace("rules/systems/orders.yaml", "failed_ratio: 0.2", "failed_ratio: 0.3")
    found = compared()

    assert found.replay.changed.replayed == {"OrdersFailureRateHigh"}
    assert found.replay.notes == [
        f"OrdersFailureRateHigh: reads namespace_queue:orders_{kind}_total:new, of which Prometheus has no sample."
        for kind in ("completed", "failed")
    ]


def test_an_alert_that_cannot_be_evaluated_counts_on_neither_side(compared: Compare, old: Deployed) -> None:
    old_rule, many = 'max by (namespace, app, queue) (orders_queue_depth{status="PENDING"}) > 1000', "depth > 100"
    orders = (
        old.rule_files["orders.yaml"]
        .replace(old_rule, many)
        .replace("subject: depth", "subject: depth\n      queue: same")
    )
    assert "queue: same" in orders
    found = compared(head=replace(old, name="head", rule_files={**old.rule_files, "orders.yaml": orders}))

    assert found.replay.not_replayed["OrdersDepthHigh"] == (
        "cannot be evaluated: vector contains metrics with the same labelset after applying alert labels"
    )
    assert not found.total.differs


def test_a_history_that_is_shorter_is_told_and_begins_the_comparison(compared: Compare) -> None:
    found = compared(since=START - 48 * HOUR, until=UNTIL + HOUR)

    assert abs(found.replay.since - START) <= 10 * MINUTE
    first, last = found.replay.notes
    assert first.startswith("Prometheus has data only of the last 7.0 hours, not of 2.3 days.")
    assert last in {f"Prometheus has no data of the last {hours} hours." for hours in ("0.9", "1.0")}


def test_what_cannot_be_compared_is_one_clear_error(compared: Compare, head: Copy) -> None:
    with pytest.raises(OpsError, match="Prometheus has no data of this time: the metric `up` has no sample"):
        compared(since=START - 48 * HOUR, until=START - 24 * HOUR)
    with pytest.raises(UsageError, match="head: unknown stack 'moon'; there are: production, staging"):
        deployed.read(head.folder, "moon", name="head")
    head.replace(FILE, "for: 2m", "for: soon")
    with pytest.raises(OpsError, match=r"head cannot be deployed:\n  rules/prometheus/orders.yaml: .*soon"):
        commit(head)
