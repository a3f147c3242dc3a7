"""A whole comparison: what a report is made from, whatever its form."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ops.capacity.comparison import Comparison
from ops.review.changes import Change, Kind
from ops.review.resources import Resources

MARKER = "<!-- observability-preview: {stack} -->"
"""First line of a comment; by it the next run finds the comment that it edits."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One stack, two commits."""

    stack: str
    base: str
    """As it was asked for."""
    head: str
    commits: tuple[str, str]
    """The full hashes of both; CHECKOUT for files that may not be committed."""
    changes: Sequence[Change]
    base_problems: Sequence[str] = ()
    """Why parts of the base could not be read, so that they are not compared."""
    head_problems: Sequence[str] = ()
    """Why the head cannot be deployed."""
    resources: Resources | None = None
    """None where no preview was given."""
    cost: Comparison | None = None
    """None where it was not asked for, or cannot be estimated."""
    cost_problem: str = ""

    @property
    def risks(self) -> list[tuple[Change, str]]:
        """What is easily overlooked, with what it is about."""
        return [(change, risk) for change in self.changes for risk in change.risks]

    def of(self, kind: Kind) -> list[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind is kind]

    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
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
            "cost": self.cost.document() if self.cost else None,
        }


def headline(report: Report) -> str:
    """What changes, in one line."""
    counts: dict[str, int] = {}
    for change in report.changes:
        label = f"{change.kind.value}s {change.action.value}"
        counts[label] = counts.get(label, 0) + 1
    told = ", ".join(f"{count} {label}" for label, count in counts.items())
    return told or "nothing changes in alerts, routes, dashboards and settings"
