"""Parses Alertmanager's HTTP notifications: webhook (version 4), Slack, PagerDuty (events version 2), and others.

Other kinds, such as the cards of Microsoft Teams, need no code here: their title is found wherever it is.

Titles must have the form of rules/notifications.tmpl. mails.py parses mails.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

# `[FIRING:2] AlertName (critical, cluster)` or `[RESOLVED] AlertName …`; no name if the group has several alerts.
_TITLE = re.compile(r"\s*\[(FIRING|RESOLVED)(?::\d+)?\]\s*([A-Za-z_]\w*)?")

LARGEST = 1 << 18
"""Maximum size in bytes; Alertmanager's notifications of a whole group are far smaller."""
_DEEPEST = 32
NOT_KEPT = "(not kept)"
"""Replaces the routing key, which is a secret, in recorded events."""
# PagerDuty's event action -> status.
_ACTIONS = {"trigger": "firing", "resolve": "resolved"}


class NotificationKind(StrEnum):
    """Format of a notification."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    EMAIL = "email"
    CARD = "card"
    """Any other message with a title, such as a card of Microsoft Teams."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert of a notification; only webhooks contain labels."""

    alertname: str
    status: str
    """`firing` or `resolved`."""
    labels: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Content of one delivery."""

    kind: NotificationKind
    status: str
    """`firing` while any alert of the group fires, otherwise `resolved`."""
    alerts: tuple[Alert, ...]


class MalformedError(ValueError):
    """The body is not a notification from Alertmanager; the message names the reason."""


def parse(body: bytes) -> tuple[Any, Notification]:
    """The payload and its notification. Raises only MalformedError, for any bytes."""
    if len(body) > LARGEST:
        raise MalformedError(f"more than {LARGEST} bytes")
    try:
        payload: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    check_writable(payload)
    if not isinstance(payload, dict):
        raise MalformedError("a notification must be a JSON object")
    document = cast(dict[str, Any], payload)
    if "alerts" in document:
        return document, _webhook(document)
    if "event_action" in document:
        return document | {"routing_key": NOT_KEPT}, _pagerduty(document)
    # Teams calls its cards attachments, too, and names their type.
    if "attachments" in document and "type" not in document:
        return document, _slack(document)
    if title := next(_titles(document), None):
        return document, titled(title, NotificationKind.CARD)
    raise MalformedError(
        "must contain `alerts` (webhook), `event_action` (PagerDuty), `attachments` (Slack), or a title that starts "
        "with [FIRING:n] or [RESOLVED]"
    )


def titled(title: object, kind: NotificationKind) -> Notification:
    """The notification that its title describes. Raises MalformedError."""
    match = _TITLE.match(title) if isinstance(title, str) else None
    if not match:
        raise MalformedError(f"the title must start with [FIRING:n] or [RESOLVED], not {str(title)[:80]!r}")
    status, name = match.group(1).lower(), match.group(2) or ""
    alerts = (Alert(alertname=name, status=status),) if name else ()
    return Notification(kind=kind, status=status, alerts=alerts)


def _titles(value: object) -> Iterator[str]:
    """The texts with the form of a title, in the order of the document."""
    if isinstance(value, str) and _TITLE.match(value):
        yield value
    if isinstance(value, dict):
        for member in cast(dict[str, object], value).values():
            yield from _titles(member)
    if isinstance(value, list):
        for member in cast(list[object], value):
            yield from _titles(member)


def _webhook(document: dict[str, Any]) -> Notification:
    alerts = document["alerts"]
    if not isinstance(alerts, list) or not alerts:
        raise MalformedError("`alerts` must be a list with at least one alert")
    return Notification(
        kind=NotificationKind.WEBHOOK,
        status=_status(document.get("status")),
        alerts=tuple(_webhook_alert(alert) for alert in cast(list[Any], alerts)),
    )


def _webhook_alert(alert: object) -> Alert:
    if not isinstance(alert, dict):
        raise MalformedError("an alert must be an object")
    document = cast(dict[str, Any], alert)
    labels = document.get("labels")
    if not isinstance(labels, dict):
        raise MalformedError("`labels` of an alert must be an object")
    texts = {str(name): str(value) for name, value in cast(dict[Any, Any], labels).items()}
    if not texts.get("alertname"):
        raise MalformedError("an alert must have the label `alertname`")
    return Alert(alertname=texts["alertname"], status=_status(document.get("status")), labels=texts)


def _slack(document: dict[str, Any]) -> Notification:
    attachments = document["attachments"]
    if not isinstance(attachments, list) or not attachments or not isinstance(attachments[0], dict):
        raise MalformedError("`attachments` must be a list with at least one object")
    return titled(cast(dict[str, Any], attachments[0]).get("title"), NotificationKind.SLACK)


def _pagerduty(document: dict[str, Any]) -> Notification:
    for name in ("routing_key", "dedup_key"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise MalformedError(f"`{name}` must be a non-empty text")
    action = document["event_action"]
    if not isinstance(action, str) or action not in _ACTIONS:
        raise MalformedError(f"`event_action` is {str(action)[:80]!r}; allowed: {', '.join(_ACTIONS)}")
    payload = document.get("payload")
    if not isinstance(payload, dict):
        raise MalformedError("`payload` must be an object")
    notification = titled(cast(dict[str, Any], payload).get("summary"), NotificationKind.PAGERDUTY)
    if notification.status != _ACTIONS[action]:
        raise MalformedError(f"`event_action` is {action}, but the summary says {notification.status}")
    return notification


def check_writable(value: object, depth: int = 0) -> None:
    """Reject values that cannot be written as JSON, because they could not be returned. Raises MalformedError."""
    if depth > _DEEPEST:
        raise MalformedError(f"nested more than {_DEEPEST} deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise MalformedError("NaN and Infinity are not JSON")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise MalformedError("a lone surrogate is not text") from error
    if isinstance(value, dict):
        for name, member in cast(dict[str, object], value).items():
            check_writable(name, depth + 1)
            check_writable(member, depth + 1)
    if isinstance(value, list):
        for member in cast(list[object], value):
            check_writable(member, depth + 1)


def _status(value: object) -> str:
    if value not in ("firing", "resolved"):
        raise MalformedError(f"`status` is {str(value)[:80]!r}; allowed: firing, resolved")
    return str(value)
