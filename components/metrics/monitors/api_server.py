"""Lists monitors at the API server, page by page. Needs only Python."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

API = "/apis/monitoring.coreos.com/v1"
PAGE = 50
"""Monitors that are asked for at once."""
LARGEST_PAGE = 2 * 2**20
"""Bytes of an answer. An object has at most 1.5 MiB, and a small text can be large in memory."""
_SECONDS = 60.0


class UnreadableError(Exception):
    """The API server gives no list. The text is for the operators of the platform."""


class _TooLargeError(Exception):
    pass


class ApiServer:
    """The API server at a URL, for the service account whose `token` and `ca.crt` are in the folder."""

    def __init__(self, url: str, account: Path, seconds: float = _SECONDS) -> None:
        self._url = urlsplit(url)
        self._account = account
        self._seconds = seconds

    def monitors(self, resource: str) -> Iterator[Any]:
        """The objects of a resource; none if the cluster does not have it. Raises UnreadableError."""
        rest, limit = "", PAGE
        while True:
            query = urlencode({"limit": limit, **({"continue": rest} if rest else {})})
            try:
                page = self._get(f"{API}/{resource}?{query}")
            except _TooLargeError:
                if limit == 1:
                    raise UnreadableError(f"one of {resource} has more than {LARGEST_PAGE} bytes") from None
                limit = max(1, limit // 5)
                continue
            except (OSError, HTTPException, ValueError, RecursionError) as error:
                raise UnreadableError(f"{resource}: {error!r}"[:300]) from None
            items, metadata = page["items"], page.get("metadata") or {}
            # The page keeps none of them, so that they are freed before the next one is read.
            while items:
                yield items.pop(0)
            rest, limit = metadata.get("continue"), PAGE
            if not rest:
                return

    def _get(self, path: str) -> dict[str, Any]:
        # Read each time, because the kubelet renews the token.
        headers = {"Authorization": f"Bearer {(self._account / 'token').read_text().strip()}"}
        until = time.monotonic() + self._seconds
        with closing(self._connection()) as connection:
            connection.request("GET", path, headers={**headers, "Accept": "application/json"})
            answer = connection.getresponse()
            body = _body(answer, until)
        if answer.status == 404:
            return {"items": []}
        if answer.status != 200:
            raise OSError(f"HTTP {answer.status}: {body[:200].decode(errors='replace')}")
        page = json.loads(body)
        if isinstance(page, dict) and isinstance(page.get("items"), list):
            return page
        raise OSError("the answer is no list of objects")

    def _connection(self) -> HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return HTTPConnection(host, port, timeout=self._seconds)
        context = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
        # From 3.13 on, Python is stricter than Kubernetes, many of whose authorities lack a key identifier.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return HTTPSConnection(host, port, timeout=self._seconds, context=context)


def _body(answer: HTTPResponse, until: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(2**16):
        parts.append(part)
        size += len(part)
        if size > LARGEST_PAGE:
            raise _TooLargeError
        if time.monotonic() > until:
            raise TimeoutError("the answer does not end")
    return b"".join(parts)
