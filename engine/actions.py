"""Runs the program with the real Pulumi engine: preview, up, refresh, destroy, outputs.

The engine is the pinned CLI with a `file://` backend in `.state`. The program runs in this process (automation API), so
no language host is needed. The Kubernetes provider is the official one. Grafana's and AWS's are the official ones if
installed, else stand-ins.
"""

import runpy
import signal
import sys
import tempfile
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
    """The changes that `up` would make. Raises LocalError for any problem, and for changes if none are expected."""
    found = _run(workspace, _open(workspace, report), "preview", report)
    if expect_no_changes:
        _expect_none(found, "preview")
    return found


def up(workspace: Workspace, *, expect_no_changes: bool = False, report: Report = print) -> Summary:
    """Create or update the stack. Runs a preview first, so that mistakes are found before anything changes."""
    stack = _open(workspace, report)
    _run(workspace, stack, "preview", _silent)
    found = _run(workspace, stack, "up", report)
    if expect_no_changes:
        _expect_none(found, "up")
    return found


def refresh(workspace: Workspace, *, expect_no_changes: bool = False, report: Report = print) -> Summary:
    """Update the state from the real resources; the changes are the drift."""
    found = _run(workspace, _open(workspace, report), "refresh", report)
    if expect_no_changes:
        _expect_none(found, "refresh")
    return found


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The result of comparing the state with the real resources."""

    differences: Sequence[Difference]
    state: State


def drift(workspace: Workspace, *, report: Report = print) -> Drift:
    """Compare the state with the real resources, without changing either."""
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
    """Outputs of the last `up`; secret ones are masked unless `show_secrets`."""
    found = _stack(workspace, _silent).outputs()
    return {key: item.value if show_secrets or not item.secret else MASK for key, item in found.items()}


def _silent(_line: str) -> None:
    return


def _open(workspace: Workspace, report: Report) -> automation.Stack:
    """The stack, ready for a run: not in use, and cleaned up after a killed run."""
    killed = workspace.release_stale_locks()
    stack = _stack(workspace, report)
    if killed:
        report("the last run was killed; its lock is released")
        _drop_pending(stack)
    return stack


def _run(
    workspace: Workspace, stack: automation.Stack, action: str, report: Report, events: Events | None = None
) -> Summary:
    started, events = time.monotonic(), events or Events()
    # `outputs` shows the outputs better; a destroyed stack is removed as a whole.
    options: dict[str, object] = {"remove": True} if action == "destroy" else {"suppress_outputs": True}
    if action in ("preview", "up"):
        options["policy_packs"] = workspace.policy_packs
    try:
        with (
            _interrupts_left_to_the_engine(),
            _temporary_files(workspace, stack),
            nullcontext() if action == "preview" else to_grafana(workspace),
        ):
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
    """Details missing from the provider's error: events and last log lines of pods that did not become ready."""
    try:
        return state.read(stack).why_not_ready()
    except automation.CommandError:
        return []


def _stack(workspace: Workspace, report: Report) -> automation.Stack:
    """The stack, created if it does not exist, in a newly rendered workspace."""
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
    """The toolchain's CLI. The base class would search only `<root>/bin` or PATH, and run the CLI for its version."""

    def __init__(self, path: Path) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.command = str(path)
        self.version = VersionInfo.parse(versions.PULUMI)


def _command() -> automation.PulumiCommand:
    return _Command(tool("pulumi"))


def _drop_pending(stack: automation.Stack) -> None:
    """Drop the pending operations of a killed run; the next `up` applies the same objects again."""
    exported = stack.export_stack()
    content = dict(exported.deployment or {})
    if content.pop("pending_operations", None):
        stack.import_stack(automation.Deployment(version=exported.version, deployment=content))


@contextmanager
def _temporary_files(workspace: Workspace, stack: automation.Stack) -> Generator[None]:
    """Removes the temporary files of the engine and its plugins.

    The Kubernetes provider writes a copy of its kubeconfig for Helm and leaves it there.
    """
    with tempfile.TemporaryDirectory(prefix="engine-", dir=workspace.state) as folder:
        stack.workspace.env_vars = {**stack.workspace.env_vars, "TMPDIR": folder}
        yield


@contextmanager
def _interrupts_left_to_the_engine() -> Generator[None]:
    """Ignore Ctrl-C in this process. The terminal also sends it to the engine, which finishes its running operations
    and saves the state.
    """
    try:
        before = signal.signal(signal.SIGINT, _ignore)
    except ValueError:  # not the main thread, which does not receive signals
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
    """A workspace for a preview without cluster, account and secrets, with its own empty state."""
    return Workspace(stack=stack, state=OTHER_STACKS / f"{stack}-offline", offline=True)
