"""The result of a comparison: one change per alert, route, dashboard, setting and so on."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import yaml


class ChangeKind(StrEnum):
    """The kind of object that changed, in the order of a report."""

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
    """How an object changed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    REROUTED = "rerouted"
    """The alert itself is unchanged, but its receivers or its muting differ."""


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One property that differs; a side without the property has an empty text."""

    what: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object that differs between two commits."""

    kind: ChangeKind
    name: str
    action: Action
    system: str = ""
    team: str = ""
    receivers: tuple[str, ...] = ()
    """Channels that are notified; for a removed object, the former ones."""
    details: tuple[Detail, ...] = ()
    diff: str = ""
    """Expressions as a unified diff."""
    message: str = ""
    """An alert's message as a unified diff."""
    risks: tuple[str, ...] = ()
    """Easily overlooked consequences: each a clause whose subject is the object."""


_Item = TypeVar("_Item")


def compared(
    before: Mapping[str, _Item], after: Mapping[str, _Item], change: Callable[[str, _Item | None, _Item | None], Any]
) -> list[Change]:
    """The results of `change(name, before, after)` for every name, in the order of `after`, without None."""
    names = [*after, *(name for name in before if name not in after)]
    return [found for name in names if (found := change(name, before.get(name), after.get(name))) is not None]


def action(before: object, after: object) -> Action:
    """Added, removed or changed, depending on which sides are None."""
    if before is None:
        return Action.ADDED
    return Action.REMOVED if after is None else Action.CHANGED


def details(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Detail, ...]:
    """One detail for each key whose values differ."""
    keys = [*after, *(key for key in before if key not in after)]
    return tuple(
        Detail(what=key, before=text(before.get(key)), after=text(after.get(key)))
        for key in keys
        if before.get(key) != after.get(key)
    )


def diff(before: str, after: str) -> str:
    """A unified diff without header and with two lines of context; empty if the texts are equal."""
    lines = difflib.unified_diff(before.strip().splitlines(), after.strip().splitlines(), lineterm="", n=2)
    return "\n".join(list(lines)[2:])


def text(value: object) -> str:
    """A value as one line of YAML."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        return f"{value:g}"
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("...\n").strip()
