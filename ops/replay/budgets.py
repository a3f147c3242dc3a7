"""Which teams' budgets of pages a change exceeds. A budget is `pageBudget` in rules/systems/<system>.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass

from alerting.systems import PageBudget, System, place
from ops.replay.comparison import Comparison, Message
from ops.replay.episodes import HOUR

_WEEK = 7 * 24 * HOUR


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One limit of one system, and what both commits need of it. All numbers are pages a week."""

    system: str
    what: str
    """`pages` or `pages at night`."""
    limit: float
    base: float
    head: float
    enforced: bool

    @property
    def over(self) -> bool:
        """Whether the head needs more than the limit."""
        return self.head > self.limit

    @property
    def failing(self) -> bool:
        """Whether the team asked for a red check, and this change is to blame: the base needs less."""
        return self.enforced and self.over and self.head > self.base

    def __str__(self) -> str:
        """The verdict as a sentence."""
        state = "over" if self.over else "within"
        return (
            f"{self.system}: {self.base:.1f} -> {self.head:.1f} {self.what} a week, {state} the budget of "
            f"{self.limit:g} ({place(self.system)})"
        )


def verdicts(found: Comparison, systems: Mapping[str, System]) -> list[Verdict]:
    """The verdict of each limit that a system has, in the order of the systems' names."""
    weeks = (found.replay.until - found.replay.since) / _WEEK
    result: list[Verdict] = []
    for system, budget in ((name, one.page_budget) for name, one in sorted(systems.items())):
        if budget is None:
            continue
        for what, limit, night in _limits(budget):
            base, head = (
                sum(_counts(message, system, night=night) for message in messages if message) / weeks
                for messages in ((pair.base for pair in found.pairs), (pair.head for pair in found.pairs))
            )
            result.append(
                Verdict(system=system, what=what, limit=limit, base=base, head=head, enforced=budget.enforced)
            )
    return result


def _limits(budget: PageBudget) -> list[tuple[str, float, bool]]:
    limits = (("pages", budget.per_week, False), ("pages at night", budget.per_week_at_night, True))
    return [(what, limit, night) for what, limit, night in limits if limit is not None]


def _counts(message: Message, system: str, *, night: bool) -> bool:
    return (
        message.page
        and (message.night or not night)
        and any(episode.labels.get("system") == system for episode in message.told.firing)
    )
