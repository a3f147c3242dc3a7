"""Checks the values that channels refer to: each must be set, well-formed, encrypted if secret, and reachable."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from alerting.routing import Form, Routing
from alerting.routing.places import shared_places
from settings.types import MAILBOX
from settings.values import Values

_OUTSIDE = (
    "https on port 443 for a host outside the cluster, because Alertmanager may reach nothing else there; hosts inside "
    "the cluster end in .svc"
)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_NO_BLANK = "a text without blanks and line ends; this one has some, perhaps at its end"
_NO_CONTROL = "a text without line ends and other control characters; this one has some, perhaps at its end"
_MENTION = re.compile(r"here|channel|[SUW][A-Z0-9]{7,}")
_MAILBOX = re.compile(MAILBOX)


def problems(raw: Mapping[str, str], encrypted: Collection[str], routing: Routing, values: Values | None) -> list[str]:
    """Problems with the channels' values and with the servers that deliver for the channels, as `KEY: problem`.

    `values` is None if the stack's other settings have problems, too.
    """
    forms = routing.forms()
    problems_found: list[str] = []
    for key, channels in routing.secrets().items():
        text = raw.get(key, "")
        if not text:
            command = f"pulumi config set {'' if forms[key] in ('address', 'mention') else '--secret '}{key}"
            users = " and ".join(channels)
            problems_found.append(f"{key}: required, but not set; needed by channel {users}; set it with: {command}")
        else:
            value_problems = _value_problems(key, text, forms[key], encrypted, values)
            problems_found += [f"{key}: {problem}" for problem in value_problems]
    problems_found += _place_problems(raw, routing)
    if values:
        problems_found += _server_problems(routing, values)
    return problems_found


def _place_problems(raw: Mapping[str, str], routing: Routing) -> Iterator[str]:
    """Keys with the URL of another place: its messages would arrive there, and nobody would notice."""
    for first, one in shared_places(routing, lambda key: raw.get(key, "")):
        yield (
            f"{one.key}: the value (a secret, not shown) is that of {first.key}, whose webhook posts into "
            f"{first.where} only; allowed: a webhook that was created for {one.where}"
        )


def control_problems(credentials: Mapping[str, str]) -> Iterator[str]:
    """One line for each credential (key -> value) with a line end, which a secret made from a file often has."""
    for key, text in credentials.items():
        if _CONTROL.search(text):
            yield f"{key}: {_hidden(_NO_CONTROL)}"


def _value_problems(
    key: str, text: str, form: Form, encrypted: Collection[str], values: Values | None
) -> Iterator[str]:
    # A secret that was made from a file often ends in a line end. Python's URL parser drops it, and Alertmanager
    # refuses the whole configuration.
    if (_CONTROL if form == "address" else _BLANK).search(text):
        return iter([_hidden(_NO_CONTROL if form == "address" else _NO_BLANK)])
    match form:
        case "url":
            return _url_problems(key, text, encrypted)
        case "token":
            return _token_problems(key, text, encrypted, _address(values.pagerduty_url) if values else None)
        case "mention":
            return _mention_problems(text)
        case "address":
            return _mailbox_problems(text, shown=key not in encrypted)


def _url_problems(key: str, text: str, encrypted: Collection[str]) -> Iterator[str]:
    address = _address(text)
    if not address:
        yield _hidden("an http or https URL")
        return
    if address.inside:
        return
    if key not in encrypted:
        yield _plain(key, "for addresses inside the cluster (they end in .svc)")
    if not address.reachable:
        # The network policy blocks Alertmanager from any other port. The channel would fail only when it is needed.
        yield _hidden(_OUTSIDE)


def _token_problems(key: str, text: str, encrypted: Collection[str], server: "_Address | None") -> Iterator[str]:
    if not server or server.inside:
        return
    if key not in encrypted:
        yield _plain(key, "while pagerdutyUrl is inside the cluster (ends in .svc)")
    if not re.fullmatch(r"[A-Za-z0-9]{32}", text):
        yield _hidden("an integration key of PagerDuty's Events API v2, which has 32 letters and digits")


def _mention_problems(text: str) -> Iterator[str]:
    if not _MENTION.fullmatch(text):
        yield (
            f"{text!r} is not allowed; allowed: here, channel, or the id of a Slack user group (S…) or user (U…, W…), "
            "which the profile of either shows"
        )


def _mailbox_problems(text: str, *, shown: bool) -> Iterator[str]:
    if not all(_MAILBOX.fullmatch(mailbox.strip()) for mailbox in text.split(",")):
        value = repr(text) if shown else "the value (a secret, not shown)"
        yield f"{value} is not allowed; allowed: e-mail addresses such as oncall@example.com, separated by commas"


def _server_problems(routing: Routing, values: Values) -> Iterator[str]:
    by_mail = " and ".join(name for name, channel in routing.channels.items() if channel.kind.by_mail)
    for key, text in (("smtpSmarthost", values.smtp_smarthost), ("smtpFrom", values.smtp_from)):
        if by_mail and not text:
            command = f"pulumi config set {key}"
            yield f"{key}: required, but not set; needed by channel {by_mail}; set it with: {command}"
    if not values.smtp_require_tls and smtp_port(values.smtp_smarthost):
        yield (
            "smtpRequireTls: false is not allowed; allowed: true for a server outside the cluster (one inside ends in "
            ".svc)"
        )
    server = _address(values.pagerduty_url)
    if server and not server.inside and not server.reachable:
        yield f'pagerdutyUrl: "{values.pagerduty_url}" is not allowed; allowed: {_OUTSIDE}'


def smtp_port(smarthost: str) -> int | None:
    """Port of an SMTP server (host:port) outside the cluster. None if the server is inside, or the text is empty."""
    host, _, port = smarthost.rpartition(":")
    return int(port) if host and not host.endswith(".svc") else None


def _plain(key: str, allowed: str) -> str:
    command = f"pulumi config set --secret {key}"
    return f"is plain text in the stack file, which is allowed only {allowed}; encrypt it with: {command}"


def _hidden(allowed: str) -> str:
    return f"the value (a secret, not shown) is not allowed; allowed: {allowed}"


class _Address(NamedTuple):
    scheme: str
    host: str
    port: int

    @property
    def inside(self) -> bool:
        return self.host.endswith(".svc")

    @property
    def reachable(self) -> bool:
        return (self.scheme, self.port) == ("https", 443)


def _address(url: str) -> _Address | None:
    """Scheme, host and port of an http or https URL; None for any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # for example an unclosed bracket or a port that is not a number
        return None
    default = {"http": 80, "https": 443}.get(parts.scheme)
    if default is None or not parts.hostname:
        return None
    return _Address(parts.scheme, parts.hostname, default if port is None else port)
