"""A whole comparison, from which every form of the report is rendered."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ops.capacity.comparison import Comparison
from ops.review.changes import Change, ChangeKind
from ops.review.replayed import Replayed
from ops.review.resources import Resources

MARKER = "<!-- observability-preview: {stack} -->"
"""First line of a comment, by which the next run finds the comment to edit."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The comparison of two commits for one stack."""

    stack: str
    base: str
    """As given on the command line."""
    head: str
    commits: tuple[str, str]
    """The full hashes of both; CHECKOUT for the current files."""
    changes: Sequence[Change]
    base_problems: Sequence[str] = ()
    """Reasons why parts of the base could not be read and are not compared."""
    head_problems: Sequence[str] = ()
    """Reasons why the head cannot be deployed."""
    resources: Resources | None = None
    """None if no preview was given."""
    cost: Comparison | None = None
    """None if it was not requested, or cannot be estimated."""
    cost_problem: str = ""
    replayed: Replayed | None = None
    """None if nobody asked for it, or if it is not possible."""
    replay_problem: str = ""
    """Why there is no replay, if one was asked for."""
    message_problem: str = ""
    """Why the alerts' messages are not shown; empty if they are."""

    @property
    def risks(self) -> list[tuple[Change, str]]:
        """The easily overlooked consequences, each with its change."""
        return [(change, risk) for change in self.changes for risk in change.risks]

    def of(self, kind: ChangeKind) -> list[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind is kind]

    def document(self) -> dict[str, Any]:
        """The whole report as JSON values."""
        return {
            "stack": self.stack,
            "base": self.base,
            "head": self.head,
            "commits": list(self.commits),
            "base_problems": list(self.base_problems),
            "head_problems": list(self.head_problems),
            "risks": [{"kind": change.kind, "name": change.name, "risk": risk} for change, risk in self.risks],
            "changes": [dataclasses.asdict(change) for change in self.changes],
            "resources": dataclasses.asdict(self.resources) if self.resources else None,
            "replay": self.replayed.document() if self.replayed else None,
            "replay_problem": self.replay_problem,
            "cost": self.cost.document() if self.cost else None,
        }


def headline(report: Report) -> str:
    """Summarizes the changes in one line: how many of each kind were added, changed or removed."""
    counts: dict[str, int] = {}
    for change in report.changes:
        label = f"{change.kind.value}s {change.action.value}"
        counts[label] = counts.get(label, 0) + 1
    totals = ", ".join(f"{count} {label}" for label, count in counts.items())
    return totals or "nothing changes in alerts, routes, dashboards and settings"
