"""Serves the metrics: at `metrics_path`, or wherever the service puts them."""

import gzip

import anyio.to_thread
from anyio.lowlevel import RunVar
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from observability_fastapi.failures import FAILURES

_SMALLEST = 1024
"""Bytes from which a page is compressed: below, it fits a packet anyway."""
_LEVEL = 1
"""Of gzip: a tenth of the size at a third of the time of its default."""
# One thread per event loop, outside the pool of the service's own work: a scrape must not wait for a busy service.
_THREAD: RunVar[anyio.CapacityLimiter] = RunVar("observability_fastapi_metrics")


class Exposition:
    """An ASGI application that serves one registry, with exemplars if the client requests OpenMetrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(scope)
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """The response to a request, for a route of the service; 500 if a collector of the registry fails."""
        return await self._answer(request.scope)

    async def _answer(self, scope: Scope) -> Response:
        if scope.get("method") not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
        try:
            headers = Headers(scope=scope)
            limiter = _limiter()
            compress = _accepts_gzip(headers.get("accept-encoding", ""))
            accepted = headers.get("accept", "")
            content, about = await anyio.to_thread.run_sync(self._render, accepted, compress, limiter=limiter)
        except Exception as error:
            FAILURES.note("metrics page", error)
            return PlainTextResponse("The metrics cannot be collected; the log says why.", 500)
        return Response(content, headers=about)

    def _render(self, accept: str, compress: bool) -> tuple[bytes, dict[str, str]]:
        encode, content_type = choose_encoder(accept)
        content = encode(self._registry)
        about = {"content-type": content_type, "vary": "Accept, Accept-Encoding"}
        if compress and len(content) >= _SMALLEST:
            content = gzip.compress(content, _LEVEL)
            about["content-encoding"] = "gzip"
        return content, about


def _limiter() -> anyio.CapacityLimiter:
    try:
        return _THREAD.get()
    except LookupError:
        made = anyio.CapacityLimiter(1)
        _THREAD.set(made)
        return made


def _accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding names gzip, or everything, without refusing it by `q=0`."""
    found: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        found[name.strip()] = weight.replace(" ", "").rstrip("0.") not in ("q=", "q")
    return found.get("gzip", found.get("*", False))
