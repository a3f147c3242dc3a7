"""Command line of the engine: `python -m engine --help`. The Makefile calls it.

The stack `local` runs in the cluster of this checkout, which `up` chooses and starts, or in the one that KUBE_CONTEXT
names.
"""

import json
import os
import shutil
import time
from textwrap import indent
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from engine import actions, host_tools, rule_checks
from engine.events import Summary
from local import choice, node_process
from local.errors import LocalError, run_command_line
from local.progress import say, step
from settings import stack_files

LOCAL = "local"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_Stack = Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")]
_NoChanges = Annotated[bool, typer.Option("--expect-no-changes", help="Fail if there are changes.")]


@app.command()
def up(stack: _Stack = LOCAL, expect_no_changes: _NoChanges = False) -> None:
    """Create or update the stack (and the local stack's cluster), and print its endpoints."""
    _require(stack)
    started = time.monotonic()
    _start_cluster(stack)
    _check_rules(stack)
    workspace = actions.workspace(stack)
    with step(f"engine: preview and up of stack {stack}"):
        summary = actions.up(workspace, expect_no_changes=expect_no_changes)
    _print_endpoints(actions.outputs(workspace).get("endpoints") or {})
    print(f"{summary}; {time.monotonic() - started:.0f} s in all")


@app.command()
def preview(
    stack: _Stack = LOCAL,
    offline: Annotated[bool, typer.Option("--offline", help="Needs no cluster, account or secrets (EKS).")] = False,
    expect_no_changes: _NoChanges = False,
) -> None:
    """Show what `up` would change; the cluster must exist."""
    _require(stack)
    _check_rules(stack)
    if offline:
        _print_summary(actions.preview(actions.offline_workspace(stack)))
        return
    if stack == LOCAL and not os.environ.get("KUBE_CONTEXT") and not _has_cluster():
        raise LocalError("there is no cluster to compare with; start one by `make up`, or set KUBE_CONTEXT to yours")
    host_tools.ensure()
    _print_summary(actions.preview(actions.workspace(stack), expect_no_changes=expect_no_changes))


@app.command()
def refresh(stack: _Stack = LOCAL, expect_no_changes: _NoChanges = False) -> None:
    """Update the state from the real resources."""
    _require(stack)
    _print_summary(actions.refresh(actions.workspace(stack), expect_no_changes=expect_no_changes))


@app.command()
def destroy(stack: _Stack = LOCAL) -> None:
    """Delete all resources of the stack, and then the stack."""
    _require(stack)
    _print_summary(actions.destroy(actions.workspace(stack)))


@app.command()
def down() -> None:
    """Remove the local stack and its cluster; from your own cluster (KUBE_CONTEXT), remove only the stack."""
    if os.environ.get("KUBE_CONTEXT"):
        workspace = actions.workspace(LOCAL)
        actions.destroy(workspace)
        shutil.rmtree(workspace.state)
    else:
        choice.down()


@app.command()
def outputs(
    stack: _Stack = LOCAL,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Do not mask secret outputs.")] = False,
) -> None:
    """Print the outputs of the last `up` as JSON."""
    _require(stack)
    print(json.dumps(actions.outputs(actions.workspace(stack), show_secrets=show_secrets), indent=2))


def _require(stack: str) -> None:
    known = stack_files.names()
    if stack not in known:
        raise LocalError(f"unknown stack {stack!r}; there are: {', '.join(known)}")


def _has_cluster() -> bool:
    return choice.existing() not in ("", choice.EMBEDDED) or node_process.current() is not None


def _check_rules(stack: str) -> None:
    """Raises LocalError if a program refuses the stack's rules; prints one line for the programs that are not there."""
    try:
        found = rule_checks.of_stacks([stack])
    except ValueError:
        return  # the program itself reports what cannot be read, together with the problems of all settings
    if found.absent:
        names = ", ".join(found.absent)
        print(f"not checked by {names}, which are not built; `make check` builds them and checks every rule")
    if found.problems:
        count = f"{len(found.problems)} problem{'s' if len(found.problems) > 1 else ''}"
        lines = indent("\n".join(found.problems), "  ")
        raise LocalError(f"{count} in the rules of stack {stack}; nothing was changed.\n{lines}")


def _start_cluster(stack: str) -> None:
    if stack != LOCAL:
        host_tools.ensure()
        return
    chosen = choice.choose()
    say(str(chosen))
    if chosen.pulls:
        host_tools.ensure()
    choice.up(chosen)
    if not chosen.maker and not os.environ.get("SIMULATOR_IMAGE"):
        print(
            "simulator and receiver are left out; to include them, run `make simulator-image PUSH=registry/name`, "
            "and set SIMULATOR_IMAGE"
        )


def _print_endpoints(endpoints: dict[str, dict[str, Any]]) -> None:
    table = Table("endpoint", "after this command", "open", box=None, pad_edge=False)
    for name, endpoint in sorted(endpoints.items()):
        table.add_row(name, endpoint["open"], endpoint["external_url"])
    table.add_row("[dim]all of them[/dim]", "make open", "")
    Console(width=120).print(table)


def _print_summary(summary: Summary) -> None:
    print(f"{summary}; {summary.seconds:.1f} s")


if __name__ == "__main__":
    run_command_line(app)
