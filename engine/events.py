"""Collects the changes, errors and notes that a run of the Pulumi engine reports, and summarizes them."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pulumi import automation
from pulumi.automation.events import EngineEvent, PolicyEvent, StepEventMetadata

Report = Callable[[str], None]
UNCHANGED = {"same", "read", "refresh"}
_UNREACHABLE = "configured Kubernetes cluster is unreachable: "
"""Start of the provider's warning that names the server."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The changes that a run made, or that a preview predicts."""

    changes: Mapping[str, int]
    """Number of changed resources by operation (create, update, replace, delete)."""
    changed: tuple[str, ...]
    """Operation and URN of each change."""
    unchanged: int
    seconds: float

    @property
    def count(self) -> int:
        """Number of changed resources."""
        return sum(self.changes.values())

    def __str__(self) -> str:
        changes = ", ".join(f"{number} {operation}" for operation, number in self.changes.items()) or "no changes"
        return f"{changes}; {self.unchanged} unchanged"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A resource whose real properties differ from the state; secrets are masked."""

    type: str
    id: str
    deleted: bool
    inputs: Mapping[str, object]
    """Inputs of the last `up`."""
    outputs: Mapping[str, object]
    found_inputs: Mapping[str, object]
    """Inputs that would result in the real resource; empty if it does not exist."""
    found_outputs: Mapping[str, object]


@dataclass
class Events:
    """Collects the engine's events; equal texts only once."""

    changes: Counter[str] = field(default_factory=Counter[str])
    changed: dict[str, str] = field(default_factory=dict[str, str])
    differences: list[Difference] = field(default_factory=list[Difference])
    """The differences that a refresh found."""
    errors: dict[str, None] = field(default_factory=dict[str, None])
    notes: dict[str, None] = field(default_factory=dict[str, None])
    """Warnings of the engine and its providers."""

    def __call__(self, event: EngineEvent) -> None:
        if event.summary_event:
            self.changes = Counter({name_of(op): n for op, n in event.summary_event.resource_changes.items()})
        for outcome in (event.resource_pre_event, event.res_outputs_event):
            if outcome and name_of(outcome.metadata.op) not in UNCHANGED:
                self.changed[outcome.metadata.urn] = name_of(outcome.metadata.op)
        if event.res_outputs_event:
            self._compare(event.res_outputs_event.metadata)
        if event.policy_event:
            self._add_violation(event.policy_event)
        diagnostic = event.diagnostic_event
        if diagnostic and diagnostic.ephemeral:  # progress: something that a provider still waits for
            return
        if diagnostic and diagnostic.severity == "warning":
            self.notes[_plain(diagnostic.message).removeprefix("warning: ")] = None
        if diagnostic and diagnostic.severity == "error":
            text = _plain(diagnostic.message)
            # These lines of the engine only state that there was an error.
            if text not in ("update failed", "preview failed") and not text.startswith("an unhandled error occurred"):
                urn = diagnostic.urn or ""
                label = "" if "pulumi:pulumi:Stack" in urn else ": ".join(urn.split("::")[-2:])
                self.errors[f"{label}: {text}" if label else text] = None

    def _add_violation(self, violation: PolicyEvent) -> None:
        """Adds a policy violation with the policy's name, in place of the long description in the engine's message."""
        problem = _plain(violation.message).splitlines()[-1]
        subject = ": ".join((violation.resource_urn or "").rsplit("$", 1)[-1].split("::")[-2:])
        texts = self.errors if violation.enforcement_level == "mandatory" else self.notes
        texts[f"{subject}: {violation.policy_name}: {problem}"] = None

    def _compare(self, step: StepEventMetadata) -> None:
        if step.old is None or name_of(step.op) in UNCHANGED:
            return
        found = step.new
        self.differences.append(
            Difference(
                type=step.type,
                id=step.old.id,
                deleted=name_of(step.op) == "delete",
                inputs=step.old.inputs or {},
                outputs=step.old.outputs or {},
                found_inputs=(found.inputs if found else None) or {},
                found_outputs=(found.outputs if found else None) or {},
            )
        )


# Progress lines of the engine that contain only a duration; it repeats them every second.
_PROGRESS = re.compile(r"(creating|updating|deleting|refreshing|reading|replacing|importing)( \(\d+s\))?\s*$")


def until_diagnostics(report: Report) -> Report:
    """Passes the engine's lines on to `report`, each only once.

    Leaves out the section of errors, which the caller shows, and progress lines that contain only a duration.
    """
    muted, reported = False, set[str]()

    def pass_on(line: str) -> None:
        nonlocal muted
        if line and not line.startswith(" "):
            muted = line.startswith("Diagnostics:")
        if muted or line.startswith("@ ") or " error: " in line or _PROGRESS.search(line):
            return
        news = re.sub(r" \(\d+s\)", "", line)
        if news.strip() and news in reported:
            return
        reported.add(news)
        report(line)

    return pass_on


def reason(events: Events, error: automation.CommandError) -> str:
    """The reason why a run failed, as short as possible."""
    for note in events.notes:
        if note.startswith(_UNREACHABLE):  # the errors of the single resources do not name the server
            return note
    if events.errors:
        return "\n".join(events.errors)
    lines = [line.strip() for line in str(error).splitlines()]
    return "\n".join(line for line in lines if "error:" in line) or str(error)


def _plain(message: str) -> str:
    """`message` without the engine's colour marks, as in `<{%reset%}>`."""
    while "<{%" in message and "%}>" in message:
        start = message.index("<{%")
        message = message[:start] + message[message.index("%}>", start) + 3 :]
    return message.strip().removeprefix("error: ").strip()


def name_of(operation: object) -> str:
    """Name of an operation. The automation API declares an enumeration, but its summary contains plain text."""
    return str(getattr(operation, "value", operation))
