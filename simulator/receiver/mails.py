"""Parses Alertmanager's mails, and runs the SMTP server that accepts them: no login, no TLS, in the event loop.

The header X-Alertmanager-Receiver names the Alertmanager receiver that sent a mail.
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

from simulator.receiver.notifications import (
    LARGEST,
    MalformedError,
    Notification,
    NotificationKind,
    check_writable,
    titled,
)

CHANNEL_HEADER = "X-Alertmanager-Receiver"
UNKNOWN_CHANNEL = "email"
"""Channel of a mail without a valid header."""
_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,63}")
_MOST_HEADERS = 100
_SILENCE = 60.0
"""Seconds of silence after which a connection is closed."""

Deliver = Callable[[bytes, list[str]], str]
"""Receives a mail and its recipients, and returns the SMTP reply."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A parsed mail."""

    channel: str
    payload: dict[str, Any]
    """`subject`, `headers` (name -> text), `text`, `html`, `recipients`."""
    notification: Notification


def parse(content: bytes, recipients: list[str]) -> Mail:
    """Parse a mail. Raises only MalformedError, for any bytes."""
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        headers = {name: _clean(str(value)) for name, value in list(message.items())[:_MOST_HEADERS]}
        texts = {name: _part(message, subtype) for name, subtype in (("text", "plain"), ("html", "html"))}
    except Exception as error:  # the standard library's parser raises a dozen types, some unintentionally
        raise MalformedError(f"not a mail: {type(error).__name__}: {error}") from error
    by_name = {name.lower(): value for name, value in headers.items()}
    payload = {"subject": by_name.get("subject"), "headers": headers, **texts, "recipients": recipients}
    check_writable(payload)
    return Mail(
        channel=channel(by_name.get(CHANNEL_HEADER.lower(), "")),
        payload=payload,
        notification=titled(payload["subject"], NotificationKind.EMAIL),
    )


def channel(header: str) -> str:
    """The channel in a header's value; UNKNOWN_CHANNEL if it is not a valid name."""
    return header if _CHANNEL.fullmatch(header) else UNKNOWN_CHANNEL


def _part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    return _clean(str(body.get_content())) if body else ""


def _clean(text: str) -> str:
    """The text with lone surrogates replaced, which represent bytes that are not text."""
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
    """Accept mail while the context is open. Yields the port; with `port` 0 the system chooses it.

    The protocol rejects mails larger than LARGEST. Raises OSError if the port is taken.
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
