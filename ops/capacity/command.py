"""`cost`: a stack's needed capacity and monthly cost, alone or compared with another stack or commit."""

import json
from pathlib import Path
from typing import Annotated

import typer

from alerting.files import ROOT
from ops import environment
from ops.capacity import comparison
from ops.capacity.comparison import Comparison
from ops.drills.fire_alerts import terminal
from ops.errors import UsageError
from ops.review import commits

Stack = Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")]
Versus = Annotated[str | None, typer.Option(help="Another stack to compare with.")]
Base = Annotated[str | None, typer.Option(help="Commit, branch or tag to compare with, instead of another stack.")]
Measure = Annotated[str | None, typer.Option(help="Use the workload that the Prometheus at this address measured.")]
MarkdownFile = Annotated[Path | None, typer.Option("--markdown", help="Write the estimate as Markdown to this file.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the estimate as JSON to this file.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if the settings are too small for the workload.")]


def cost(  # noqa: PLR0913 -- each is an option
    *,
    stack: Stack = "staging",
    versus: Versus = None,
    base: Base = None,
    measure: Measure = None,
    markdown_file: MarkdownFile = None,
    json_file: JsonFile = None,
    strict: Strict = False,
) -> None:
    """Estimate a stack's monthly cost, and whether its settings suffice for its workload.

    Exit code: 0 estimated, 1 with --strict when something is too small, 2 bad usage.
    """
    if versus and base:
        raise UsageError(f"--versus {versus} and --base {base}: allowed: one of the two")
    found = _compared(stack, versus, base, measure)
    found.show(terminal())
    for file, text in ((markdown_file, found.markdown()), (json_file, json.dumps(found.document(), indent=2))):
        if file:
            _write(file, text + "\n")
    raise typer.Exit(1 if strict and found.after.warnings else 0)


def _compared(stack: str, versus: str | None, base: str | None, measure: str | None) -> Comparison:
    values = environment.load(stack).values
    after = comparison.of(ROOT, values, stack, measure=measure)
    if versus:
        return Comparison(before=comparison.of(ROOT, environment.load(versus).values, versus), after=after)
    if not base:
        return Comparison(before=None, after=after)
    with commits.files(ROOT, base) as old:
        try:
            before = environment.load(stack, root=old).values
        except UsageError:
            before = None
        return comparison.between(old, before, ROOT, values, stack)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from error
