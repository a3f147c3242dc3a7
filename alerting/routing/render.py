"""Renders alertmanager.yml for one stack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from alerting.base import Document
from alerting.files import write_yaml
from alerting.routing.model import Inhibition, Routing, Timing, values
from alerting.routing.tree import NO_HEARTBEAT, Branch, Matcher, matchers, tree

TEMPLATES = "notifications.tmpl"
"""File with the notification templates, beside alertmanager.yml."""
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The SMTP server for the stack's e-mails."""

    smarthost: str
    """host:port."""
    sender: str
    username: str = ""
    """Empty: no login."""
    password: str = field(default="", repr=False)
    require_tls: bool = True
    """Refuse to send when the server offers no STARTTLS."""


def render(  # noqa: PLR0913 -- each sets a part of the configuration
    routing: Routing,
    timing: Timing,
    secrets: Mapping[str, str],
    *,
    mail: Mail | None = None,
    pagerduty_url: str = PAGERDUTY_URL,
    mute_windows: bool = True,
    by_proxy: bool = False,
) -> str:
    """alertmanager.yml for one stack. The result is secret, because it contains `secrets` in plain text.

    With `by_proxy`, Alertmanager notifies by the proxy of its environment.
    Alertmanager expects TEMPLATES in the same folder. Raises ValueError if a channel is an e-mail address and `mail` is
    None.
    """
    kinds = {name: channel.kind for name, channel in routing.channels.items()}
    if mail is None and any(kind.by_mail for kind in kinds.values()):
        raise ValueError("an e-mail channel needs the stack's SMTP server")
    document: Document = {
        "global": {
            "pagerduty_url": pagerduty_url,
            **({"http_config": {"proxy_from_environment": True}} if by_proxy else {}),
            **(_smtp(mail) if mail else {}),
        },
        "templates": [TEMPLATES],
        **configuration(routing, timing, mute_windows=mute_windows),
        "receivers": [{"name": name, **kind.receiver(name, secrets)} for name, kind in kinds.items()],
    }
    if mute_windows and routing.mute_windows:
        document["time_intervals"] = [
            {"name": name, "time_intervals": [window.document()]} for name, window in routing.mute_windows.items()
        ]
    return write_yaml(document)


def configuration(routing: Routing, timing: Timing | None = None, *, mute_windows: bool = True) -> Document:
    """The routes and the inhibit rules of alertmanager.yml. Without `timing`, Alertmanager's own times apply."""
    return {
        "route": {
            "receiver": routing.default,
            "group_by": routing.group_by,
            **(timing.model_dump() if timing else {}),
            "routes": [_branch(branch) for branch in tree(routing, mute_windows=mute_windows)],
        },
        "inhibit_rules": [rule for inhibition in routing.inhibitions.values() for rule in inhibit_rules(inhibition)],
    }


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
    if branch.group_by:
        document["group_by"] = list(branch.group_by)
    if branch.mute:
        document["mute_time_intervals"] = list(branch.mute)
    if branch.branches:
        document["routes"] = [_branch(below) for below in branch.branches]
    return document


def inhibit_rules(inhibition: Inhibition) -> Iterator[Document]:
    """One rule that mutes alerts without a page, and one by which pages mute pages."""
    source, target = matchers(inhibition.source), matchers(inhibition.target)
    source = (*source, *(Matcher(label, "!=", "") for label in inhibition.present))
    exclusions = [NO_HEARTBEAT]
    # Alertmanager never lets an alert inhibit itself, but it may inhibit another alert of the same name. Therefore the
    # names in the source are excluded from the target.
    exclusions += [Matcher("alertname", "!=", name) for name in values(inhibition.source.get("alertname", []))]
    exclusions += [Matcher(label, "!~", "|".join(spared)) for label, spared in inhibition.exceptions.items()]
    target = (*target, *exclusions)
    no_page, page = Matcher("page", "!=", "true"), Matcher("page", "=", "true")
    by_page = "true" in values(inhibition.source.get("page", "true"))
    of_page = "true" in values(inhibition.target.get("page", "true"))
    pairs = [(source, (*target, no_page))]
    if by_page and of_page:
        pairs.append(((*source, page), (*target, page)))
    for source_side, target_side in pairs:
        yield {
            "source_matchers": [str(matcher) for matcher in source_side],
            "target_matchers": [str(matcher) for matcher in target_side],
            "equal": inhibition.equal,
        }
