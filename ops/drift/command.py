"""`drift`: lists what changed since the last `up`. Read only: changes neither the stack nor its state."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from engine import actions
from engine.events import Report
from engine.grafana_forward import to_grafana
from engine.stand_ins.errors import ProviderError
from engine.workspace import Workspace
from local.errors import LocalError
from ops.drift import findings, unmanaged
from ops.drift.findings import Category, Finding
from ops.drift.unmanaged import Resource
from ops.environment import LOCAL, load
from ops.errors import OpsError
from ops.terminal import Console

DRIFTED = 2
"""Exit code when there is an unexpected difference."""
_COLOURS = {
    Category.CHANGED: "red",
    Category.DELETED: "red",
    Category.UNMANAGED: "yellow",
    Category.EXPECTED: "dim",
}

Stack = Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list of findings, and nothing else.")]


def drift(*, stack: Stack = LOCAL, as_json: AsJson = False) -> None:
    """List manual changes, deleted and unmanaged objects, and differences that are expected by design.

    Exit code: 0 nothing unexpected, 1 something cannot be reached, 2 drift (or bad usage).
    """
    load(stack)  # raises UsageError for an unknown stack
    found, grafana_problem = look(actions.workspace(stack), report=_silent if as_json else print)
    if as_json:
        print(json.dumps([one._asdict() for one in found], indent=2))
    else:
        show(found)
    if grafana_problem:
        raise OpsError(f"the list is not complete: {grafana_problem}")
    if any(one.category is not Category.EXPECTED for one in found):
        raise typer.Exit(DRIFTED)


def look(workspace: Workspace, *, report: Report = print) -> tuple[list[Finding], str]:
    """Every difference between the state and reality, and why Grafana could not be read ("" if it was read).

    Raises OpsError when the cluster or the state cannot be read.
    """
    try:
        seen = actions.drift(workspace, report=report)
        resources = [_resource(one) for one in seen.state.resources]
        if not resources:
            raise OpsError(f"stack {workspace.stack} has no resources to compare; run `up` first")
        unmanaged_objects, grafana_problem = _in_grafana(workspace, resources)
        cluster = seen.state.cluster()
        if cluster:
            unmanaged_objects += unmanaged.workloads(resources, cluster)
        scaled = unmanaged.autoscaled(resources, cluster) if cluster else set[str]()
    except (LocalError, ProviderError) as error:
        raise OpsError(str(error)) from error
    found = findings.findings(seen.differences, findings.expected(), scaled)
    order = list(Category)
    found = sorted(
        [*found, *unmanaged_objects], key=lambda one: (order.index(one.category), one.kind, one.name, one.path)
    )
    return found, grafana_problem


def _in_grafana(workspace: Workspace, resources: Sequence[Resource]) -> tuple[list[Finding], str]:
    try:
        with to_grafana(workspace):
            return unmanaged.dashboards(resources), ""
    except ProviderError as error:
        return [], str(error)


def show(found: Sequence[Finding]) -> None:
    """Print a table and a summary line."""
    console = Console()
    unexpected = [one for one in found if one.category is not Category.EXPECTED]
    if found:
        table = Table("", "type", "object", "field", "was", "is", "note", box=None, pad_edge=False)
        for one in found:
            colour = _COLOURS[one.category]
            table.add_row(f"[{colour}]{one.category}[/{colour}]", *(escape(text) for text in one[1:]))
        console.print(table)
    console.print(f"{len(unexpected)} unexpected, {len(found) - len(unexpected)} expected")


def _silent(_line: str) -> None:
    return


def _resource(found: dict[str, Any]) -> Resource:
    return Resource(kind=str(found["type"]), id=str(found.get("id", "")), inputs=found.get("inputs") or {})
