"""`preview-summary`: shows how a pull request affects alerts and notifications, as a comment and as tables."""

import json
from pathlib import Path
from typing import Annotated

import typer

from alerting.files import ROOT
from ops.capacity import comparison
from ops.drills.fire_alerts import terminal
from ops.errors import OpsError, UsageError
from ops.review import commits, content_diff, messages, pull_request_comment, resources, snapshot
from ops.review.commits import CHECKOUT
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
) -> None:
    """Compare two commits: changed alerts, routes and dashboards, who is affected, and easily overlooked risks.

    Exit code: 0 compared, 1 the head cannot be deployed (the report lists the reasons), 2 bad usage.
    """
    found = report(ROOT, base=base, head=head, stack=stack, preview=preview, cost=cost)
    show(terminal(), found)
    if markdown_file:
        _write(markdown_file, pull_request_comment.render(found))
    if json_file:
        _write(json_file, json.dumps(found.document(), indent=2) + "\n")
    raise typer.Exit(1 if found.head_problems else 0)


def report(root: Path, *, base: str, head: str, stack: str, preview: Path | None = None, cost: bool = False) -> Report:
    """Compares two commits of the repository `root` for one stack. Raises OpsError, UsageError."""
    engine = resources.read(preview) if preview else None
    with commits.files(root, base) as old, commits.files(root, head) as new:
        before = snapshot.read(old, stack, name=base)
        after = snapshot.read(new, stack, name=head)
        if after.values is None and not (new / f"Pulumi.{stack}.yaml").is_file():
            raise UsageError(f"unknown stack {stack!r}; there are: {', '.join(stack_files.names(new)) or 'none'}")
        changes, no_messages = messages.with_messages(content_diff.changes(before, after), before, after)
        estimate, problem = _cost(old, new, before, after) if cost else (None, "")
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
