"""The message of each changed alert, before and after, as its first channel for people shows it."""

import dataclasses
from collections.abc import Iterable, Sequence

from alerting.problems import RulesError
from ops.errors import OpsError
from ops.messages import sent
from ops.messages.preview import previews
from ops.review.changes import Change, ChangeKind, diff
from ops.review.snapshot import Snapshot
from settings import stack_files
from settings.stack_files import StackFileError

_FOR_PEOPLE = ("slack", "card", "email", "pagerduty")


def with_messages(changes: Sequence[Change], before: Snapshot, after: Snapshot) -> tuple[list[Change], str]:
    """The changes, those of alerts with the difference of their messages; and why it is missing, or an empty text."""
    names = [change.name for change in changes if change.kind is ChangeKind.ALERT]
    try:
        old, new = (_messages(side, names) for side in (before, after))
    except (OpsError, RulesError, StackFileError) as error:
        return list(changes), str(error)
    return [
        dataclasses.replace(change, message=diff(old.get(change.name, ""), new.get(change.name, "")))
        if change.kind is ChangeKind.ALERT
        else change
        for change in changes
    ], ""


def _messages(side: Snapshot, names: Iterable[str]) -> dict[str, str]:
    """Alert -> its message; empty if this side could not be read."""
    if not (side.rules and side.routing and side.values and side.templates):
        return {}
    alerts = side.rules.deployed()
    chosen = [(alerts[name].rule, alerts[name].thresholds) for name in names if name in alerts]
    stack = stack_files.typed({"clusterName": side.stack, **side.values.plain})
    found: dict[str, str] = {}
    deliveries = previews(chosen, side.rules.rule_set, side.routing, side.templates, stack) if chosen else []
    for kind in reversed(_FOR_PEOPLE):
        found |= {one.alerts[0]["alertname"]: sent.text(one) for one in deliveries if one.kind == kind}
    return found
