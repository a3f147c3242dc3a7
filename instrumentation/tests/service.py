"""An instrumented service without a port, driven message by message as a server would."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from observability_fastapi import instrument
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.types import Message, Scope

Headers = dict[str, str | bytes | list[str]]
"""Values by name; a list is as many headers."""


@dataclass
class Answer:
    """What the application sent."""

    messages: list[Message] = field(default_factory=list[Message])
    error: BaseException | None = None

    @property
    def status(self) -> int | None:
        return next((one["status"] for one in self.messages if "status" in one), None)

    @property
    def text(self) -> str:
        return b"".join(one.get("body", b"") for one in self.messages).decode()

    def headers(self, name: str) -> list[str]:
        """Every value of one header."""
        pairs = [pair for one in self.messages for pair in one.get("headers", ())]
        return [value.decode("latin-1") for key, value in pairs if key.decode().lower() == name.lower()]


class Service:
    """One application with a registry of its own; what it counts can be read back."""

    def __init__(self, app: Starlette | None = None, **options: Any) -> None:
        self.app = app or FastAPI()
        self.registry = options.setdefault("registry", CollectorRegistry())
        options = {"logs": False, "log_requests": False, **options}
        instrument(self.app, options.pop("service", "shop"), **options)

    @classmethod
    def plain(cls, app: Starlette) -> "Service":
        """An application that is not instrumented."""
        made = cls.__new__(cls)
        made.app, made.registry = app, CollectorRegistry()
        return made

    def ask(self, path: str, method: str = "GET", headers: Headers | None = None, **changes: Any) -> Answer:
        """One request. `receive`: the client's messages, instead of an empty body. `send`: what takes the answer."""
        return asyncio.run(self.request(path, method, headers, **changes))

    async def request(self, path: str, method: str = "GET", headers: Headers | None = None, **changes: Any) -> Answer:
        scope: Scope = {
            "type": changes.get("type", "http"),
            "asgi": {"version": "3.0", "spec_version": changes.get("spec_version", "2.4")},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": changes.get("query", b""),
            "root_path": changes.get("root_path", ""),
            "headers": [(b"host", b"shop"), *_encoded(headers or {}), *changes.get("raw_headers", ())],
            "client": changes.get("client", ("10.0.0.1", 1)),
            "server": ("shop", 80),
            "subprotocols": [],
            "extensions": changes.get("extensions", {}),
            "state": {},
        }
        if scope["type"] == "websocket":
            del scope["method"]
        answer = Answer()

        async def send(message: Message) -> None:
            answer.messages.append(message)
            if "send" in changes:
                await changes["send"](message)

        receive = changes.get("receive") or messages([{"type": "http.request", "body": b"", "more_body": False}])
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            answer.error = error
            if not isinstance(error, Exception | asyncio.CancelledError):
                raise
        return answer

    def counts(self) -> dict[tuple[str, str, str], float]:
        """(method, endpoint, status) -> requests, over all projects."""
        found: dict[tuple[str, str, str], float] = {}
        for one in self.samples("request_count"):
            key = (one["method"], one["endpoint"], one["status"])
            found[key] = found.get(key, 0) + one["value"]
        return found

    def samples(self, name: str) -> list[dict[str, Any]]:
        """Labels and value of every series with this name."""
        families = self.registry.collect()
        return [{**one.labels, "value": one.value} for family in families for one in family.samples if one.name == name]

    def series(self) -> int:
        """How many series there are."""
        return sum(len(family.samples) for family in self.registry.collect())


def _encoded(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            yield name.lower().encode(), one.encode() if isinstance(one, str) else one


def messages(given: Sequence[Message]) -> Callable[[], Awaitable[Message]]:
    """What a client sends, after which it stays and says nothing more."""
    left = list(given)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive
