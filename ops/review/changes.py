"""What a comparison finds: one change per thing that somebody would talk about."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import yaml


class Kind(StrEnum):
    """What changed, in the order of a report."""

    ALERT = "alert"
    SLO = "SLO"
    RECORDING = "recording rule"
    ROUTE = "route"
    CHANNEL = "channel"
    MUTE_WINDOW = "mute window"
    INHIBITION = "inhibition"
    ESCALATION = "escalation"
    DASHBOARD = "dashboard"
    RUNBOOK = "runbook"
    BUDGET = "disruption budget"
    SETTING = "setting"


class Action(StrEnum):
    """What happened to it."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    REROUTED = "told otherwise"
    """The alert itself is as before; whom it reaches, or what mutes it, is not."""


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One property that differs; empty text where there was, or is, none."""

    what: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs between two commits."""

    kind: Kind
    name: str
    action: Action
    system: str = ""
    team: str = ""
    receivers: tuple[str, ...] = ()
    """Channels that are told; of what is removed, those that were."""
    details: tuple[Detail, ...] = ()
    diff: str = ""
    """Expressions as a unified diff."""
    risks: tuple[str, ...] = ()
    """What is easily overlooked: each a clause about the thing named."""


_Item = TypeVar("_Item")


def compared(
    before: Mapping[str, _Item], after: Mapping[str, _Item], change: Callable[[str, _Item | None, _Item | None], Any]
) -> list[Change]:
    """What `change(name, before, after)` says of each name, in the order of `after`; None is left out."""
    names = [*after, *(name for name in before if name not in after)]
    return [found for name in names if (found := change(name, before.get(name), after.get(name))) is not None]


def action(before: object, after: object) -> Action:
    """What happened, by whether there is something on each side."""
    if before is None:
        return Action.ADDED
    return Action.REMOVED if after is None else Action.CHANGED


def details(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Detail, ...]:
    """The entries that differ, by key."""
    keys = [*after, *(key for key in before if key not in after)]
    return tuple(
        Detail(what=key, before=text(before.get(key)), after=text(after.get(key)))
        for key in keys
        if before.get(key) != after.get(key)
    )


def diff(before: str, after: str) -> str:
    """The lines that differ, with two around them; empty when none do."""
    lines = difflib.unified_diff(before.strip().splitlines(), after.strip().splitlines(), lineterm="", n=2)
    return "\n".join(list(lines)[2:])


def text(value: object) -> str:
    """A value in one line, as YAML writes it."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        return f"{value:g}"
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("...\n").strip()
