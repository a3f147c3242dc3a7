"""`drift`: what is no longer as the last `up` left it. Looks, and changes nothing: neither the stack nor its state."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine import actions
from engine.events import Report
from engine.grafana_forward import to_grafana
from engine.stand_ins.errors import ProviderError
from engine.workspace import Workspace
from local.errors import LocalError
from ops.drift import findings, unmanaged
from ops.drift.findings import Finding, Sort
from ops.drift.unmanaged import Resource
from ops.environment import LOCAL, load
from ops.errors import OpsError

DRIFTED = 2
"""Exit code when something is different that nobody expects."""
_COLOURS = {Sort.CHANGED: "red", Sort.DELETED: "red", Sort.UNMANAGED: "yellow", Sort.EXPECTED: "dim"}

Stack = Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list of findings, and nothing else.")]


def drift(*, stack: Stack = LOCAL, as_json: AsJson = False) -> None:
    """Tell edits by hand apart from what others own by design, and find what nobody manages.

    Exit code: 0 nothing unexpected, 1 something cannot be reached, 2 drift (or bad usage).
    """
    load(stack)  # refuses a stack that does not exist
    found, unasked = look(actions.workspace(stack), report=_silent if as_json else print)
    if as_json:
        print(json.dumps([one._asdict() for one in found], indent=2))
    else:
        show(found)
    if unasked:
        raise OpsError(f"the list is not complete: {unasked}")
    if any(one.sort is not Sort.EXPECTED for one in found):
        raise typer.Exit(DRIFTED)


def look(workspace: Workspace, *, report: Report = print) -> tuple[list[Finding], str]:
    """Every difference between the state and what is there; and why Grafana was not asked, "" when it was.

    Raises OpsError when the cluster or the state cannot be asked.
    """
    try:
        seen = actions.drift(workspace, report=report)
        resources = [_resource(one) for one in seen.state.resources]
        if not resources:
            raise OpsError(f"stack {workspace.stack} has no resources; `up` makes them, and then there can be drift")
        nobodys, unasked = _in_grafana(workspace, resources)
        cluster = seen.state.cluster()
        if cluster:
            nobodys += unmanaged.workloads(resources, cluster)
        scaled = unmanaged.autoscaled(resources, cluster) if cluster else set[str]()
    except (LocalError, ProviderError) as error:
        raise OpsError(str(error)) from error
    found = findings.findings(seen.differences, findings.expected(), scaled)
    order = list(Sort)
    found = sorted([*found, *nobodys], key=lambda one: (order.index(one.sort), one.kind, one.name, one.path))
    return found, unasked


def _in_grafana(workspace: Workspace, resources: Sequence[Resource]) -> tuple[list[Finding], str]:
    try:
        with to_grafana(workspace):
            return unmanaged.dashboards(resources), ""
    except ProviderError as error:
        return [], str(error)


def show(found: Sequence[Finding]) -> None:
    """Print a table, and one line that sums it up."""
    console = Console()
    unexpected = [one for one in found if one.sort is not Sort.EXPECTED]
    if found:
        table = Table("", "type", "object", "field", "was", "is", "note", box=None, pad_edge=False)
        for one in found:
            colour = _COLOURS[one.sort]
            table.add_row(f"[{colour}]{one.sort}[/{colour}]", *(escape(text) for text in one[1:]))
        console.print(table)
    console.print(f"{len(unexpected)} unexpected, {len(found) - len(unexpected)} expected")


def _silent(_line: str) -> None:
    return


def _resource(found: dict[str, Any]) -> Resource:
    return Resource(kind=str(found["type"]), id=str(found.get("id", "")), inputs=found.get("inputs") or {})
