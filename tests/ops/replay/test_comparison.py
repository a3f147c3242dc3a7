"""Which messages are the same, which have moved, and which of them wake somebody."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from unittest.mock import Mock

from ops.replay import comparison
from ops.replay.comparison import Change, Comparison
from ops.replay.episodes import HOUR, MINUTE, Episode
from ops.replay.routes import Notification

NOON = round(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp() * 1000)


def message(at: float, *, name: str = "Full", receiver: str = "team", kind: str = "slack", **more: Any) -> Notification:
    """A message `at` minutes after noon."""
    alert = Episode(labels={"alertname": name}, starts=0, ends=1, sent=[])
    firing = more.pop("firing", True)
    return Notification(
        at=NOON + round(at * MINUTE),
        receiver=receiver,
        kind=kind,
        group=more or {"alertname": name},
        firing=[alert] if firing else [],
        resolved=[] if firing else [alert],
    )


def compare(base: list[Notification], head: list[Notification], zone: Any = UTC) -> Comparison:
    replay = Mock(since=NOON - HOUR, base=Mock(notifications=base), head=Mock(notifications=head))
    replay.changed.replayed = frozenset()
    return comparison.compare(replay, zone)


def changes(base: list[Notification], head: list[Notification]) -> list[tuple[Change, float]]:
    return [(pair.change, pair.later / MINUTE) for pair in compare(base, head).pairs]


def test_messages_within_a_minute_are_the_same() -> None:
    assert changes([message(0)], [message(1)]) == [(Change.SAME, 1)]
    assert changes([message(0)], [message(1.1)]) == [(Change.MOVED, 1.1)]


def test_messages_that_are_far_away_are_lost_and_new() -> None:
    assert changes([message(0)], [message(120)]) == [(Change.MOVED, 120)]
    assert changes([message(0)], [message(121)]) == [(Change.LOST, 0), (Change.NEW, 0)]
    assert changes([message(121)], [message(0)]) == [(Change.NEW, 0), (Change.LOST, 0)]


def test_the_nearest_message_is_the_same_one() -> None:
    assert changes([message(0), message(60)], [message(50)]) == [(Change.LOST, 0), (Change.MOVED, -10)]
    assert changes([message(0), message(60)], [message(0.5), message(90)]) == [(Change.SAME, 0.5), (Change.MOVED, 30)]


def test_other_receivers_alerts_and_states_are_other_messages() -> None:
    others: list[dict[str, Any]] = [{"receiver": "others"}, {"name": "Slow"}, {"firing": False}, {"kind": "email"}]
    for other in others:
        assert {one for one, _ in changes([message(0)], [message(0, **other)])} == {Change.LOST, Change.NEW}


def test_other_groups_are_the_same_message_if_no_nearer_group_is_equal() -> None:
    assert changes([message(0, pod="a")], [message(0, namespace="x")]) == [(Change.SAME, 0)]
    base, head = [message(0, pod="a"), message(0.1, pod="b")], [message(0, pod="b")]
    (same,) = [pair for pair in compare(base, head).pairs if pair.base and pair.head]
    assert same.base is not None
    assert same.base.told.group == {"pod": "b"}


def test_a_page_is_the_message_that_opens_an_incident() -> None:
    told = [
        message(at, kind="pagerduty", firing=firing) for at, firing in ((0, True), (60, True), (90, False), (100, True))
    ]
    assert comparison.difference(compare([], told).pairs).head.pages == 2
    assert comparison.difference(compare([], [message(0)]).pairs).head.pages == 0


def test_an_incident_from_before_the_time_pages_nobody_again() -> None:
    told = [message(at, kind="pagerduty") for at in (-90, 10)]
    (pair,) = compare([], told).pairs
    assert pair.any.told.at == NOON + 10 * MINUTE
    assert not pair.any.page


def test_night_is_by_the_hour_of_the_zone() -> None:
    told = [message(60 * hour) for hour in (9.99, 10, 18.99, 19)]  # 21:59, 22:00, 6:59 and 7:00
    assert comparison.difference(compare([], told).pairs).head.at_night == 2
    east = timezone(timedelta(hours=10))  # 7:59, 8:00, 16:59 and 17:00
    assert comparison.difference(compare([], told, east).pairs).head.at_night == 0
    resolved = [message(600, firing=False)]
    assert comparison.difference(compare([], resolved).pairs).head.at_night == 0


def test_receivers_and_alerts_are_counted_apart() -> None:
    base = [message(0), message(0, receiver="others"), message(5, name="Slow")]
    found = compare(base, [message(0), message(5, name="Slow"), message(9, name="Slow", receiver="others")])
    assert {name: (one.new, one.lost) for name, one in found.by_receiver.items()} == {"team": (0, 0), "others": (1, 1)}
    assert {name: (one.new, one.lost) for name, one in found.by_alert.items()} == {"Full": (0, 1), "Slow": (1, 0)}
