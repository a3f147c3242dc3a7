"""Writes a drill's report as JSON for programs and as an HTML page with a timeline."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops import report_page
from ops.drills.report import EXPLANATION, Result, kind, summary
from ops.drills.stages import Run, resolved_text, verdict
from ops.errors import OpsError, UsageError

LONGEST = 1800.0
"""Maximum seconds for a drill of all alerts."""
_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The files to which a report is written."""

    folder: Path
    """Always gets report.json and report.html."""
    json: Path | None = None
    html: Path | None = None

    def check(self) -> None:
        """Raises UsageError if a file cannot be written. Called before a drill, which is long."""
        for file in (self.json, self.html):
            if file and not file.absolute().parent.is_dir():
                raise UsageError(f"{file}: the folder {file.absolute().parent} does not exist")
            if file and file.is_dir():
                raise UsageError(f"{file} is a folder; allowed: the name of a file")


def write(result: Result, outputs: Outputs) -> Iterator[Path]:
    """Write all files and yield the path of each. Raises OpsError if one cannot be written."""
    texts = {".json": json.dumps(document(result), indent=2) + "\n", ".html": page(result)}
    files = [outputs.folder / "report.json", outputs.folder / "report.html"]
    for file, ending in ((files[0], ".json"), (files[1], ".html"), (outputs.json, ".json"), (outputs.html, ".html")):
        if file:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(texts[ending], encoding="utf-8")
            except OSError as error:
                raise OpsError(f"{file} cannot be written: {error.strerror}") from error
            yield file


def document(result: Result) -> dict[str, Any]:
    """The whole report as JSON values. Durations are in seconds, times in seconds since the epoch."""
    return {
        "environment": result.environment,
        "began": result.began,
        "seconds": result.ended - result.began,
        "within_limit": result.ended - result.began <= LONGEST,
        "summary": summary(result),
        "others": list(result.others),
        "left_out": dict(result.left_out),
        "alerts": [_alert(run) for run in result.runs],
    }


def page(result: Result) -> str:
    """A self-contained HTML page."""
    span = max(result.ended - result.began, 1.0)
    rows = [
        {**_alert(run), "bars": _bars(run, result.began, span), "receivers": _receivers(run)} for run in result.runs
    ]
    return report_page.render(
        _TEMPLATE,
        result=document(result),
        rows=rows,
        good=sum(run.ok for run in result.runs),
        day=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(result.began)),
        minutes=f"{span / 60:.1f}",
        limit=f"{LONGEST / 60:.0f}",
        ticks=_ticks(span),
        explanation=EXPLANATION,
    )


def _alert(run: Run) -> dict[str, Any]:
    plan = run.plan
    return {
        "alert": plan.alert,
        "system": plan.system,
        "severity": plan.severity,
        "page": plan.labels.get("page") == "true",
        "fault": kind(plan),
        "channels": list(plan.channels),
        "delivered": run.fired,
        "resolved": run.resolved,
        "fault_on": run.fault_on,
        "fault_off": run.fault_off,
        "scrape": plan.waits.scrape,
        "rise": plan.waits.rise,
        "evaluation": plan.waits.evaluation,
        "for": plan.waits.for_,
        "default_for": plan.default_for,
        "group_wait": plan.waits.group_wait,
        "allowed": plan.waits.allowed,
        "limit": plan.waits.limit,
        "delivery": run.delivery_seconds,
        "overhead": run.overhead,
        "late": run.late,
        "resolve": run.resolve_seconds,
        "resolve_text": resolved_text(run),
        "not_awaited": run.not_awaited or run.earlier,
        "heartbeats": len(run.heartbeats),
        "longest_gap": run.longest_gap,
        "verdict": verdict(run),
        "ok": run.ok,
    }


def _receivers(run: Run) -> list[dict[str, Any]]:
    """Every channel with whether it was expected to be notified, and whether it was."""
    names = dict.fromkeys([*run.plan.channels, *run.fired])
    return [{"name": name, "expected": name in run.plan.channels, "notified": name in run.fired} for name in names]


def _bars(run: Run, began: float, span: float) -> dict[str, Any]:
    """Bars and marks of the timeline, each with its position and width in per cent of the whole drill."""

    def place(at: float) -> float:
        return round(100 * min(max(at - began, 0.0), span) / span, 3)

    def bar(start: float | None, end: float | None) -> dict[str, float] | None:
        if start is None or end is None:
            return None
        return {"x": place(start), "width": max(place(end) - place(start), 0.15)}

    # Deliveries of an earlier drill are outside the timeline.
    marks = [
        {"x": place(at), "text": f"{channel}: {status} after {at - (run.fault_on or began):.1f} s", "status": status}
        for status, times in (("firing", run.fired), ("resolved", run.resolved))
        for channel, at in times.items()
        if at >= began and not run.heartbeats
    ] + [{"x": place(at), "text": f"heartbeat {at - began:.0f} s", "status": "heartbeat"} for at in run.heartbeats]
    last = max(run.resolved.values(), default=None)
    return {"fault": bar(run.fault_on, run.fault_off), "after": bar(run.fault_off, last), "marks": marks}


def _ticks(span: float) -> list[dict[str, Any]]:
    step = next(size for size in (10, 30, 60, 120, 300, 600, 1800, 10**9) if span / size <= 12)
    return [{"x": round(100 * at / span, 3), "text": f"{at / 60:g} min"} for at in range(0, int(span) + 1, step)]
