"""What a run of the Pulumi engine reports: changes, errors and notes, and a summary of them."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pulumi import automation
from pulumi.automation.events import EngineEvent, PolicyEvent, StepEventMetadata

Report = Callable[[str], None]
UNCHANGED = {"same", "read", "refresh"}
_UNREACHABLE = "configured Kubernetes cluster is unreachable: "
"""How the provider's warning begins that names the server."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a run did, or a preview would do."""

    changes: Mapping[str, int]
    """Number of resources by operation (create, update, replace, delete); those that stay as they are do not count."""
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
    """A resource of the state that is not as the state says; secrets are masked."""

    type: str
    id: str
    deleted: bool
    inputs: Mapping[str, object]
    """As the last `up` set them."""
    outputs: Mapping[str, object]
    found_inputs: Mapping[str, object]
    """As they would have to be for what is there; empty when nothing is."""
    found_outputs: Mapping[str, object]


@dataclass
class Events:
    """Collects what the engine reports; each text once."""

    changes: Counter[str] = field(default_factory=Counter[str])
    changed: dict[str, str] = field(default_factory=dict[str, str])
    differences: list[Difference] = field(default_factory=list[Difference])
    """What a refresh found."""
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
            self._judge(event.policy_event)
        diagnostic = event.diagnostic_event
        if diagnostic and diagnostic.ephemeral:  # progress: what a provider still waits for
            return
        if diagnostic and diagnostic.severity == "warning":
            self.notes[_plain(diagnostic.message).removeprefix("warning: ")] = None
        if diagnostic and diagnostic.severity == "error":
            text = _plain(diagnostic.message)
            # These lines of the engine only say that there was an error.
            if text not in ("update failed", "preview failed") and not text.startswith("an unhandled error occurred"):
                urn = diagnostic.urn or ""
                label = "" if "pulumi:pulumi:Stack" in urn else ": ".join(urn.split("::")[-2:])
                self.errors[f"{label}: {text}" if label else text] = None

    def _judge(self, broken: PolicyEvent) -> None:
        """The engine itself repeats the rule's description before the problem; its name says it shorter."""
        problem = _plain(broken.message).splitlines()[-1]
        subject = ": ".join((broken.resource_urn or "").rsplit("$", 1)[-1].split("::")[-2:])
        told = self.errors if broken.enforcement_level == "mandatory" else self.notes
        told[f"{subject}: {broken.policy_name}: {problem}"] = None

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


# A line of the engine that only says how long something has been under way; it repeats them every second.
_UNDER_WAY = re.compile(r"(creating|updating|deleting|refreshing|reading|replacing|importing)( \(\d+s\))?\s*$")


def until_diagnostics(report: Report) -> Report:
    """Passes the engine's lines on, each once, except the section of errors, which the caller shows.

    Of what is under way it passes on only what has something to say.
    """
    muted, told = False, set[str]()

    def pass_on(line: str) -> None:
        nonlocal muted
        if line and not line.startswith(" "):
            muted = line.startswith("Diagnostics:")
        if muted or line.startswith("@ ") or " error: " in line or _UNDER_WAY.search(line):
            return
        news = re.sub(r" \(\d+s\)", "", line)
        if news.strip() and news in told:
            return
        told.add(news)
        report(line)

    return pass_on


def reason(events: Events, error: automation.CommandError) -> str:
    """Why a run failed, in as few words as the engine allows."""
    for note in events.notes:
        if note.startswith(_UNREACHABLE):  # each resource has an error of its own then, and none names the server
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
    """Name of an operation."""
    # The automation API declares an enumeration here, and gives plain text in the summary.
    return str(getattr(operation, "value", operation))
