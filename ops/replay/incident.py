"""What today's rules and routes would have told of a stretch of time, when, and whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.routing.tree import HEARTBEAT
from ops.replay import evaluation
from ops.replay.changed import Rules
from ops.replay.comparison import PAGER
from ops.replay.deployed import Deployed
from ops.replay.evaluation import Sources, Span
from ops.replay.replay import failures, notified_of
from ops.replay.routes import Notification


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One stretch of time under the rules and routes of one commit. Times are in milliseconds since 1970."""

    since: int
    until: int
    notifications: Sequence[Notification]
    """Of the stretch, the first one first; without the heartbeat."""
    not_replayed: dict[str, str]
    """Alert -> why it cannot be evaluated."""

    def told(self, alert: str, receiver: str) -> list[Notification]:
        """The messages to a receiver that say that an alert fires."""
        return [
            one
            for one in self.notifications
            if one.receiver == receiver and any(episode.name == alert for episode in one.firing)
        ]

    def rows(self) -> list[tuple[Notification, str]]:
        """Each message with what it is: a page, firing, or resolved."""
        return [
            (one, "resolved" if not one.firing else "page" if one.kind == PAGER else "firing")
            for one in self.notifications
        ]


def replay(commit: Deployed, sources: Sources, *, since: int, until: int, before: int) -> Incident:
    """Evaluates all rules from `before` (milliseconds) ahead of the stretch; recorded series are recorded first.

    A window that is longer than the data before the stretch sees what there is, as after the start of a server.
    """
    rules = Rules(commit)
    span = Span(start=since - before, until=until)
    names = rules.all_alerts.keys() - {HEARTBEAT}
    raised = evaluation.together(
        (
            evaluation.raised(rules, names, frozenset(rules.recorded.values()), sources, span),
            evaluation.raised_by_logs(rules, names, sources, span),
        )
    )
    errors = failures([raised], rules.all_alerts)
    told = notified_of(rules, raised.episodes, errors, until).notifications
    return Incident(
        since=since, until=until, notifications=[one for one in told if one.at >= since], not_replayed=errors
    )
