"""What a replay adds to the report on a pull request: who would have been notified over the recorded time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerting import systems
from alerting.files import ROOT, RULES
from ops.errors import OpsError
from ops.replay import budgets, command, document
from ops.replay.budgets import Verdict
from ops.replay.document import About
from ops.replay.evaluation import Sources
from ops.replay.terminal import headline

NO_ACCESS = "no Prometheus is named for this stack; allowed: --prometheus with a URL that may be read from here"


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """The replay of a pull request for one stack."""

    report: Mapping[str, Any]
    """As of ops.replay.document."""
    budgets: Sequence[Verdict]

    @property
    def failing(self) -> list[Verdict]:
        """Budgets for which the check fails."""
        return [one for one in self.budgets if one.failing]

    @property
    def headline(self) -> str:
        """The difference in one line."""
        return headline(self.report)

    def document(self) -> dict[str, Any]:
        """The part that a reader of the report needs, as JSON values."""
        return {**self.report, "budgets": [str(one) for one in self.budgets]}

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """The receivers whose messages differ, and all of them, with the text of each count."""
        for name, one in {**self.report["receivers"], "all": self.report["total"]}.items():
            if name == "all" or one["new"] or one["lost"] or one["moved"]:
                counts = (
                    f"{one['base'][key]} → {one['head'][key]}"
                    if one["base"][key] != one["head"][key]
                    else one["head"][key]
                    for key in ("messages", "pages", "night_pages")
                )
                yield name, [*map(str, counts), *(str(one[key] or "") for key in ("new", "lost", "moved"))]


def replayed(
    old: Path, new: Path, names: tuple[str, str], stack: str, start: str, sources: Sources | None
) -> tuple[Replayed | None, str]:
    """The replay of two checkouts, or why there is none: a missing or failing server is no fault of a pull request."""
    if sources is None:
        return None, NO_ACCESS
    try:
        found = command.compare_files(old, new, names=names, stack=stack, start=start, sources=sources)
    except OpsError as error:
        return None, str(error)
    report = document.document(About(stack=stack, zone="UTC", prometheus=None), found)
    known, _ = systems.load(new / RULES.relative_to(ROOT))
    return Replayed(report=report, budgets=budgets.verdicts(found, known)), ""
