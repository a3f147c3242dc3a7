"""Reads what Alertmanager sends by mail, and the SMTP server that takes it: no login, no TLS, in the event loop.

The receiver of Alertmanager that sent a mail stands in its header X-Alertmanager-Receiver.
"""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from simulator.receiver.notifications import LARGEST, Kind, MalformedError, Notification, check_writable, titled

CHANNEL_HEADER = "X-Alertmanager-Receiver"
UNKNOWN_CHANNEL = "email"
"""Channel of a mail that does not say which receiver sent it."""
_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,63}")
_MOST_HEADERS = 100
_SILENCE = 60.0
"""Seconds without a word after which a connection is closed."""

Deliver = Callable[[bytes, list[str]], str]
"""Takes a mail and its recipients, and gives the SMTP answer."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail as it is recorded."""

    channel: str
    payload: dict[str, Any]
    """`subject`, `headers` (name -> text), `text`, `html`, `recipients`."""
    notification: Notification


def parse(content: bytes, recipients: list[str]) -> Mail:
    """What a mail says. Raises MalformedError, whatever the bytes are."""
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        headers = {name: _clean(str(value)) for name, value in list(message.items())[:_MOST_HEADERS]}
        texts = {name: _part(message, subtype) for name, subtype in (("text", "plain"), ("html", "html"))}
    except Exception as error:  # the standard library's parser raises a dozen kinds, not all of them on purpose
        raise MalformedError(f"no mail: {type(error).__name__}: {error}") from error
    by_name = {name.lower(): value for name, value in headers.items()}
    payload = {"subject": by_name.get("subject"), "headers": headers, **texts, "recipients": recipients}
    check_writable(payload)
    return Mail(
        channel=channel(by_name.get(CHANNEL_HEADER.lower(), "")),
        payload=payload,
        notification=titled(payload["subject"], Kind.EMAIL),
    )


def channel(header: str) -> str:
    """The channel that a header names; UNKNOWN_CHANNEL when it names none."""
    return header if _CHANNEL.fullmatch(header) else UNKNOWN_CHANNEL


def _part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    return _clean(str(body.get_content())) if body else ""


def _clean(text: str) -> str:
    """The text without halves of surrogate pairs, which stand for bytes that are no text."""
    return text.encode(errors="replace").decode()


class _Handler:
    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 -- aiosmtpd's
        content = envelope.content or b""
        raw = content.encode(errors="surrogateescape") if isinstance(content, str) else content
        return self._deliver(raw, [_clean(address) for address in envelope.rcpt_tos])


@asynccontextmanager
async def mailbox(deliver: Deliver, *, host: str = "", port: int) -> AsyncGenerator[int]:
    """Take mail while the context lasts; gives the port, which was chosen by the system when `port` is 0.

    A mail beyond the largest notification is refused by the protocol itself. Raises OSError when the port is taken.
    """
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            _Handler(deliver),
            data_size_limit=LARGEST,
            hostname="receiver",
            ident="receiver",
            timeout=_SILENCE,
            loop=loop,
        )

    server = await loop.create_server(protocol, host or None, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
