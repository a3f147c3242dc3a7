"""Serves `metrics_path`."""

import asyncio

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send


class Exposition:
    """An ASGI application that serves one registry, with exemplars if the client requests OpenMetrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(scope)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
        encode, content_type = choose_encoder(Headers(scope=scope).get("accept", ""))
        # Thousands of series take tens of milliseconds; a thread keeps the event loop free for other requests.
        content = await asyncio.to_thread(encode, self._registry)
        return Response(content, media_type=content_type)
