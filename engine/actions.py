"""Runs the program with the real Pulumi engine: preview, up, refresh, destroy, outputs.

The engine is the pinned CLI with a `file://` backend in `.state`; the program runs in this process (automation API), so
no language host is needed. The Kubernetes provider is the official one; those of Grafana and AWS are when installed.
"""

import runpy
import signal
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation
from semver import VersionInfo

from engine import state
from engine.events import UNCHANGED, Difference, Events, Report, Summary, reason, until_diagnostics
from engine.grafana_forward import to_grafana
from engine.state import State
from engine.workspace import STAND_INS, Workspace, machine_config, state_folder
from local.errors import LocalError
from local.paths import OTHER_STACKS
from local.toolchain import tool
from settings import versions

MASK = "[secret]"


def preview(workspace: Workspace, *, expect_no_changes: bool = False, report: Report = print) -> Summary:
    """What `up` would change. Raises LocalError for any problem, and for a change when none is expected."""
    found = _run(workspace, _open(workspace, report), "preview", report)
    if expect_no_changes:
        _expect_none(found, "preview")
    return found


def up(workspace: Workspace, *, expect_no_changes: bool = False, report: Report = print) -> Summary:
    """Bring the stack to what the program says; first a preview, so that a mistake is found before anything changes."""
    stack = _open(workspace, report)
    _run(workspace, stack, "preview", _silent)
    found = _run(workspace, stack, "up", report)
    if expect_no_changes:
        _expect_none(found, "up")
    return found


def refresh(workspace: Workspace, *, expect_no_changes: bool = False, report: Report = print) -> Summary:
    """Take what is really there into the state; its changes are the drift."""
    found = _run(workspace, _open(workspace, report), "refresh", report)
    if expect_no_changes:
        _expect_none(found, "refresh")
    return found


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What a look at everything that the stack made gave."""

    differences: Sequence[Difference]
    state: State


def drift(workspace: Workspace, *, report: Report = print) -> Drift:
    """Compare the state with what is there; neither is changed."""
    stack, events = _open(workspace, report), Events()
    _run(workspace, stack, "preview_refresh", report, events)
    try:
        found = state.read(stack)
    except automation.CommandError as error:
        raise LocalError(f"the state of stack {workspace.stack} cannot be read.\n{reason(events, error)}") from None
    return Drift(differences=events.differences, state=found)


def destroy(workspace: Workspace, *, report: Report = print) -> Summary:
    """Delete all resources of the stack, and then the stack."""
    return _run(workspace, _open(workspace, report), "destroy", report)


def outputs(workspace: Workspace, *, show_secrets: bool = False) -> dict[str, Any]:
    """Outputs of the last `up`; a secret one is masked unless `show_secrets`."""
    found = _stack(workspace, _silent).outputs()
    return {key: item.value if show_secrets or not item.secret else MASK for key, item in found.items()}


def _silent(_line: str) -> None:
    return


def _open(workspace: Workspace, report: Report) -> automation.Stack:
    """The stack, ready for a run: nobody else runs it, and nothing is left of a run that was killed."""
    killed = workspace.release_stale_locks()
    stack = _stack(workspace, report)
    if killed:
        report("the last run was killed; its lock is released")
        _forget_pending(stack)
    return stack


def _run(
    workspace: Workspace, stack: automation.Stack, action: str, report: Report, events: Events | None = None
) -> Summary:
    started, events = time.monotonic(), events or Events()
    # `outputs` shows them better; and a stack without resources is none.
    options: dict[str, object] = {"remove": True} if action == "destroy" else {"suppress_outputs": True}
    if action in ("preview", "up"):
        options["policy_packs"] = workspace.policy_packs
    try:
        with _interrupts_left_to_the_engine(), nullcontext() if action == "preview" else to_grafana(workspace):
            getattr(stack, action)(on_output=until_diagnostics(report), on_event=events, color="never", **options)
    except automation.CommandError as error:
        lines = [f"{action} of stack {workspace.stack} failed.", reason(events, error)]
        if action == "up":
            lines += _unready_workloads(stack)
        raise LocalError("\n".join(lines)) from None
    for note in events.notes:
        report(note)
    unchanged = sum(events.changes[op] for op in UNCHANGED)
    return Summary(
        changes={op: number for op, number in events.changes.items() if op not in UNCHANGED},
        changed=tuple(f"{op} {urn}" for urn, op in events.changed.items()),
        unchanged=unchanged,
        seconds=time.monotonic() - started,
    )


def _unready_workloads(stack: automation.Stack) -> list[str]:
    """What the provider's error leaves out: the events and last log lines of pods that did not become ready."""
    try:
        return state.read(stack).why_not_ready()
    except automation.CommandError:
        return []


def _stack(workspace: Workspace, report: Report) -> automation.Stack:
    """The stack, made when it does not exist, in a freshly rendered workspace."""
    for name, official in workspace.render().items():
        used = f"the official plugin ({official})" if official else f"stand-in ({STAND_INS[name]})"
        report(f"{name} provider: {used}")
    options = automation.LocalWorkspaceOptions(
        work_dir=str(workspace.folder), env_vars=workspace.environment(), pulumi_command=_command()
    )
    try:
        stack = automation.create_or_select_stack(
            stack_name=workspace.stack,
            project_name=workspace.project,
            program=lambda: _program(workspace.root),
            opts=options,
        )
    except automation.CommandError as error:
        raise LocalError(f"stack {workspace.stack} cannot be opened.\n{reason(Events(), error)}") from None
    return stack


def _program(root: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    runpy.run_path(str(root / "__main__.py"), run_name="__main__")


class _Command(automation.PulumiCommand):
    """The CLI of our toolchain; the base class only looks into `<root>/bin` or PATH, and asks for the version first."""

    def __init__(self, path: Path) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.command = str(path)
        self.version = VersionInfo.parse(versions.PULUMI)


def _command() -> automation.PulumiCommand:
    return _Command(tool("pulumi"))


def _forget_pending(stack: automation.Stack) -> None:
    """Drop the operations that a killed run left open: the next `up` applies the same objects once more."""
    exported = stack.export_stack()
    content = dict(exported.deployment or {})
    if content.pop("pending_operations", None):
        stack.import_stack(automation.Deployment(version=exported.version, deployment=content))


@contextmanager
def _interrupts_left_to_the_engine() -> Generator[None]:
    """On Ctrl-C the terminal tells the engine too; it ends what is under way and saves the state. We wait for it."""
    try:
        before = signal.signal(signal.SIGINT, _ignore)
    except ValueError:  # not the main thread; then nobody sends us signals either
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ignore(_number: int, _frame: object) -> None:
    return


def _expect_none(found: Summary, action: str) -> None:
    if found.count:
        raise LocalError(
            f"{action}: no changes were expected, but there are {found.count}:\n" + "\n".join(found.changed)
        )


def workspace(stack: str) -> Workspace:
    """The workspace of a stack on this machine."""
    return Workspace(stack=stack, config=machine_config(stack), state=state_folder(stack))


def offline_workspace(stack: str) -> Workspace:
    """One for a preview without cluster, account and secrets: against an empty state of its own."""
    return Workspace(stack=stack, state=OTHER_STACKS / f"{stack}-offline", offline=True)
