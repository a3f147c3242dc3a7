"""alertmanager.yml of one stack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from alerting.base import Document
from alerting.files import write_yaml
from alerting.routing.model import Inhibition, Routing, Timing, values
from alerting.routing.tree import NO_HEARTBEAT, Branch, Matcher, matchers, tree

TEMPLATES = "notifications.tmpl"
"""File with the messages' templates; stands beside alertmanager.yml."""
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The SMTP server that takes the stack's mail."""

    smarthost: str
    """host:port."""
    sender: str
    username: str = ""
    """Empty: no login."""
    password: str = field(default="", repr=False)
    require_tls: bool = True
    """Refuse to send when the server offers no STARTTLS."""


def render(
    routing: Routing,
    timing: Timing,
    secrets: Mapping[str, str],
    *,
    mail: Mail | None = None,
    pagerduty_url: str = PAGERDUTY_URL,
    mute_windows: bool = True,
) -> str:
    """alertmanager.yml for one stack. It contains `secrets` in plain text, so the result is one, too.

    `mail` is needed when a channel is an e-mail address; raises ValueError without. TEMPLATES must stand beside the
    file.
    """
    kinds = {name: channel.kind for name, channel in routing.channels.items()}
    if mail is None and any(channel.email for channel in routing.channels.values()):
        raise ValueError("an e-mail channel needs the stack's SMTP server")
    document: Document = {
        "global": {"pagerduty_url": pagerduty_url, **(_smtp(mail) if mail else {})},
        "templates": [TEMPLATES],
        "route": {
            "receiver": routing.default,
            "group_by": routing.group_by,
            **timing.model_dump(),
            "routes": [_branch(branch) for branch in tree(routing, mute_windows=mute_windows)],
        },
        "inhibit_rules": [rule for inhibition in routing.inhibitions.values() for rule in _inhibit_rules(inhibition)],
        "receivers": [{"name": name, **kind.receiver(name, secrets)} for name, kind in kinds.items()],
    }
    if mute_windows and routing.mute_windows:
        document["time_intervals"] = [
            {"name": name, "time_intervals": [window.document()]} for name, window in routing.mute_windows.items()
        ]
    return write_yaml(document)


def _smtp(mail: Mail) -> Document:
    login = {"smtp_auth_username": mail.username, "smtp_auth_password": mail.password} if mail.username else {}
    return {
        "smtp_smarthost": mail.smarthost,
        "smtp_from": mail.sender,
        "smtp_require_tls": mail.require_tls,
        **login,
    }


def _branch(branch: Branch) -> dict[str, Any]:
    document: Document = {"receiver": branch.channel} if branch.channel else {}
    document["matchers"] = [str(matcher) for matcher in branch.matchers]
    document |= {"continue": branch.goes_on, **branch.times}
    if branch.mute:
        document["mute_time_intervals"] = list(branch.mute)
    if branch.branches:
        document["routes"] = [_branch(below) for below in branch.branches]
    return document


def _inhibit_rules(inhibition: Inhibition) -> Iterator[Document]:
    """One rule for what does not page, and one by which pages mute pages."""
    source, target = matchers(inhibition.source), matchers(inhibition.target)
    kept = [NO_HEARTBEAT]
    # Of an alert that matches both sides Alertmanager knows that it must not mute itself; its like it might.
    kept += [Matcher("alertname", "!=", name) for name in values(inhibition.source.get("alertname", []))]
    target = (*target, *kept)
    no_page, page = Matcher("page", "!=", "true"), Matcher("page", "=", "true")
    by_page = "true" in values(inhibition.source.get("page", "true"))
    of_page = "true" in values(inhibition.target.get("page", "true"))
    sides = [(source, (*target, no_page))]
    if by_page and of_page:
        sides.append(((*source, page), (*target, page)))
    for one, other in sides:
        yield {
            "source_matchers": [str(matcher) for matcher in one],
            "target_matchers": [str(matcher) for matcher in other],
            "equal": inhibition.equal,
        }
