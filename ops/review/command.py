"""`preview-summary`: shows how a pull request affects alerts and notifications, as a comment and as tables."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from alerting.files import ROOT
from ops.capacity import comparison
from ops.drills.fire_alerts import terminal
from ops.errors import OpsError, UsageError
from ops.replay.evaluation import Sources
from ops.review import commits, content_diff, messages, pull_request_comment, resources, snapshot
from ops.review.commits import CHECKOUT
from ops.review.replayed import replayed
from ops.review.report import Report
from ops.review.snapshot import Snapshot
from ops.review.terminal import show
from settings import stack_files

Base = Annotated[str, typer.Option(help="Commit, branch or tag to compare with.")]
Head = Annotated[str, typer.Option(help=f"Commit to review; {CHECKOUT} for the files as they are.")]
Stack = Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")]
Preview = Annotated[Path | None, typer.Option(help="Output of `pulumi preview --json`, or its event log.")]
MarkdownFile = Annotated[Path | None, typer.Option("--markdown", help="Write the comment to this file.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the whole report as JSON to this file.")]
Replay = Annotated[bool, typer.Option(help="Replay both commits over recorded data.")]
From = Annotated[str, typer.Option("--from", help="Length of the replay, such as 14d.")]
PrometheusUrl = Annotated[str | None, typer.Option("--prometheus", help="Prometheus to read for the replay.")]
LokiUrl = Annotated[str | None, typer.Option("--loki", help="Loki to read for the replay.")]
Cost = Annotated[bool, typer.Option(help="Estimate the monthly cost and its difference.")]


def preview_summary(  # noqa: PLR0913 -- each is an option
    *,
    base: Base = "origin/main",
    head: Head = CHECKOUT,
    stack: Stack = "staging",
    preview: Preview = None,
    markdown_file: MarkdownFile = None,
    json_file: JsonFile = None,
    cost: Cost = True,
    replay: Replay = False,
    start: From = "14d",
    prometheus: PrometheusUrl = None,
    loki: LokiUrl = None,
) -> None:
    """Compare two commits: changed alerts, routes and dashboards, who is affected, and easily overlooked risks.

    Exit code: 0 compared, 1 the head cannot be deployed, or exceeds a budget of pages that its team enforces (the
    report lists the reasons), 2 bad usage.
    """
    # A variable that is not set is an empty option in a workflow.
    sources = Sources(prometheus=prometheus, loki=loki or None) if prometheus else None
    asked = Asked(start, sources) if replay else None
    found = report(ROOT, base=base, head=head, stack=stack, preview=preview, cost=cost, asked=asked)
    show(terminal(), found)
    if markdown_file:
        _write(markdown_file, pull_request_comment.render(found))
    if json_file:
        _write(json_file, json.dumps(found.document(), indent=2) + "\n")
    raise typer.Exit(1 if found.head_problems or (found.replayed and found.replayed.failing) else 0)


@dataclass(frozen=True)
class Asked:
    """A replay that is asked for."""

    start: str
    """Its length, a duration."""
    sources: Sources | None
    """None if no server is known."""


def report(  # noqa: PLR0913 -- what the options say
    root: Path,
    *,
    base: str,
    head: str,
    stack: str,
    preview: Path | None = None,
    cost: bool = False,
    asked: Asked | None = None,
) -> Report:
    """Compares two commits of the repository `root` for one stack. Raises OpsError, UsageError."""
    engine = resources.read(preview) if preview else None
    with commits.files(root, base) as old, commits.files(root, head) as new:
        before = snapshot.read(old, stack, name=base)
        after = snapshot.read(new, stack, name=head)
        if after.values is None and not (new / f"Pulumi.{stack}.yaml").is_file():
            raise UsageError(f"unknown stack {stack!r}; there are: {', '.join(stack_files.names(new)) or 'none'}")
        changes, no_messages = messages.with_messages(content_diff.changes(before, after), before, after)
        estimate, problem = _cost(old, new, before, after) if cost else (None, "")
        told, no_replay = replayed(old, new, (base, head), stack, asked.start, asked.sources) if asked else (None, "")
        return Report(
            stack=stack,
            base=base,
            head=head,
            commits=(commits.identity(root, base), commits.identity(root, head)),
            changes=changes,
            message_problem=no_messages,
            base_problems=before.problems,
            head_problems=after.problems,
            resources=engine,
            replayed=told,
            replay_problem=no_replay,
            cost=estimate,
            cost_problem=problem,
        )


def _cost(old: Path, new: Path, before: Snapshot, after: Snapshot) -> tuple[comparison.Comparison | None, str]:
    if after.values is None:
        return None, "the settings cannot be read"
    try:
        plain = before.values.plain if before.values else None
        return comparison.between(old, plain, new, after.values.plain, after.stack), ""
    except OpsError as error:
        return None, str(error)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from error
