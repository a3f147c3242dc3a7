"""Which notifications of two replays are the same message, and what the difference means to the people who get them."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from ops.replay.episodes import HOUR, MINUTE, SECOND, Episode
from ops.replay.replay import Replay, Side
from ops.replay.routes import Notification

# The same message: both replays have it within a minute.
_SAME = MINUTE
# A moved message: half of the usual repeat_interval of 4 hours, so that a repeat is not taken for its neighbour.
_MOVED = 2 * HOUR
PAGER = "pagerduty"
"""Kind of the receivers that wake people."""
NIGHT = (22, 7)
"""Hours from and to which most people sleep."""


class Change(StrEnum):
    """How a notification of the head differs from those of the base."""

    SAME = "same"
    NEW = "new"
    LOST = "lost"
    MOVED = "moved"


@dataclass(frozen=True, kw_only=True, eq=False)
class Message:
    """A notification, and what it means to the person who gets it."""

    told: Notification
    page: bool
    """It opens an incident at the pager: it fires, and the message of its group before did not."""
    night: bool
    """It fires, and comes in the hours of NIGHT."""
    hour: int
    """Hour of the day."""

    @property
    def firing(self) -> bool:
        """Whether an alert of it fires; if not, it says that all are resolved."""
        return bool(self.told.firing)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One message of the base and of the head; at least one of them."""

    base: Message | None
    head: Message | None

    @property
    def any(self) -> Message:
        """That of the head, or of the base if the head has none."""
        found = self.head or self.base
        if found is None:
            raise AssertionError("a pair without messages")
        return found

    @property
    def later(self) -> int:
        """Milliseconds by which the head's message is later; negative if it is earlier."""
        return self.head.told.at - self.base.told.at if self.base and self.head else 0

    @property
    def change(self) -> Change:
        """How the head differs."""
        if self.base is None or self.head is None:
            return Change.LOST if self.base else Change.NEW
        return Change.SAME if abs(self.later) <= _SAME else Change.MOVED


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What one receiver, one alert, or all of them get."""

    messages: int
    pages: int
    at_night: int
    """Firing messages in the hours of NIGHT."""
    night_pages: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two tallies, and how many messages differ."""

    base: Tally
    head: Tally
    new: int
    lost: int
    moved: int

    @property
    def differs(self) -> bool:
        """Whether any message is new, lost or moved."""
        return bool(self.new or self.lost or self.moved)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A replay, and its messages in pairs, the first one first."""

    replay: Replay
    pairs: Sequence[Pair]

    @property
    def total(self) -> Difference:
        """Over all receivers."""
        return difference(self.pairs)

    @property
    def by_receiver(self) -> dict[str, Difference]:
        """Receiver -> its difference; receivers without messages on both sides are left out."""
        return _by(self.pairs, lambda message: [message.told.receiver])

    @property
    def by_alert(self) -> dict[str, Difference]:
        """Alert -> the difference of the messages that name it, for replayed alerts and those whose messages differ."""
        found = _by(self.pairs, lambda message: message.told.names)
        empty = difference([])
        names = {name for name, one in found.items() if one.differs} | self.replay.changed.replayed
        return {name: found.get(name, empty) for name in sorted(names)}

    def episodes(self, side: Side, name: str) -> list[Episode]:
        """An alert's episodes in the compared time."""
        return [one for one in side.episodes if one.name == name and one.ends > self.replay.since]

    def seconds(self, episode: Episode) -> float:
        """How long it fired in the compared time."""
        return (min(episode.ends, self.replay.until) - max(episode.starts, self.replay.since)) / SECOND


def compare(replay: Replay, zone: tzinfo) -> Comparison:
    """Both sides' messages of the compared time, in pairs. Hours are those of `zone`."""
    found = pairs(replay.base.notifications, replay.head.notifications, replay.since, zone)
    return Comparison(replay=replay, pairs=found)


def pairs(base: Sequence[Notification], head: Sequence[Notification], since: int, zone: tzinfo) -> list[Pair]:
    """The messages from `since` on in pairs, the first one first.

    The same message has the same receiver, names the same alerts, and is within a minute; one that is further away, by
    up to two hours, has moved.
    """
    old, new = (_messages(side, since, zone) for side in (base, head))
    result: list[Pair] = []
    for tolerance, key in ((_SAME, _group), (_SAME, _names), (_MOVED, _names)):
        found = _matched(old, new, tolerance, key)
        result += found
        gone = {id(one.base) for one in found} | {id(one.head) for one in found}
        old, new = ([one for one in side if id(one) not in gone] for side in (old, new))
    result += [Pair(base=one, head=None) for one in old] + [Pair(base=None, head=one) for one in new]
    result.sort(key=lambda pair: (pair.any.told.at, pair.any.told.receiver))
    return result


def difference(pairs: Iterable[Pair]) -> Difference:
    """The tallies of both sides."""
    pairs = list(pairs)
    changes = Counter(pair.change for pair in pairs)
    return Difference(
        base=_tally(pair.base for pair in pairs),
        head=_tally(pair.head for pair in pairs),
        new=changes[Change.NEW],
        lost=changes[Change.LOST],
        moved=changes[Change.MOVED],
    )


def _messages(notifications: Sequence[Notification], since: int, zone: tzinfo) -> list[Message]:
    open_groups: set[Hashable] = set()
    found: list[Message] = []
    for told in notifications:
        group = (told.receiver, *sorted(told.group.items()))
        opens = bool(told.firing) and group not in open_groups
        (open_groups.add if told.firing else open_groups.discard)(group)
        hour = datetime.fromtimestamp(told.at / SECOND, zone).hour
        night = bool(told.firing) and (hour >= NIGHT[0] or hour < NIGHT[1])
        if told.at >= since:
            found.append(Message(told=told, page=opens and told.kind == PAGER, night=night, hour=hour))
    return found


def _names(message: Message) -> Hashable:
    return (message.told.receiver, message.told.kind, message.firing, message.told.names)


def _group(message: Message) -> Hashable:
    return (_names(message), tuple(sorted(message.told.group.items())))


def _matched(
    old: Sequence[Message], new: Sequence[Message], tolerance: int, key: Callable[[Message], Hashable]
) -> list[Pair]:
    """Messages with equal keys, the nearest ones first."""
    sides: dict[Hashable, tuple[list[Message], list[Message]]] = {}
    for index, messages in enumerate((old, new)):
        for one in messages:
            sides.setdefault(key(one), ([], []))[index].append(one)
    pairs: list[Pair] = []
    for before, after in sides.values():
        near = sorted(_near(before, after, tolerance))
        used: set[tuple[int, int]] = set()
        for _, first, second in near:
            if (0, first) not in used and (1, second) not in used:
                used |= {(0, first), (1, second)}
                pairs.append(Pair(base=before[first], head=after[second]))
    return pairs


def _near(before: Sequence[Message], after: Sequence[Message], tolerance: int) -> Iterable[tuple[int, int, int]]:
    """Distance and indexes of the messages that are at most `tolerance` apart; both lists are in order of time."""
    first = 0
    for index, one in enumerate(before):
        while first < len(after) and after[first].told.at < one.told.at - tolerance:
            first += 1
        last = first
        while last < len(after) and after[last].told.at <= one.told.at + tolerance:
            yield abs(after[last].told.at - one.told.at), index, last
            last += 1


def _by(pairs: Sequence[Pair], keys: Callable[[Message], Iterable[str]]) -> dict[str, Difference]:
    sorted_pairs: dict[str, list[Pair]] = {}
    for pair in pairs:
        for key in keys(pair.any):
            sorted_pairs.setdefault(key, []).append(pair)
    return {key: difference(sorted_pairs[key]) for key in sorted(sorted_pairs)}


def _tally(messages: Iterable[Message | None]) -> Tally:
    found = [one for one in messages if one]
    return Tally(
        messages=len(found),
        pages=sum(one.page for one in found),
        at_night=sum(one.night for one in found),
        night_pages=sum(one.page and one.night for one in found),
    )
