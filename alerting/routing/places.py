"""Places in which channels post, and webhooks that serve two of them by mistake."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alerting.routing.model import Routing


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a channel posts: the place for which its webhook was created."""

    channel: str
    key: str
    """Config key of the webhook's URL."""
    where: str


def shared_places(routing: Routing, webhook: Callable[[str], str]) -> Iterator[tuple[Place, Place]]:
    """Pairs of different places with one webhook: the first that has it, and another.

    `webhook` gives what identifies the webhook of a config key; an empty text leaves the key out.
    """
    seen: dict[str, Place] = {}
    for name, channel in routing.channels.items():
        if (found := channel.kind.place()) and (identity := webhook(found[0])):
            place = Place(channel=name, key=found[0], where=found[1])
            first = seen.setdefault(identity, place)
            if first.where != place.where:
                yield first, place
