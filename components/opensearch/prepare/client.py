"""A client of OpenSearch's HTTP API that needs only Python."""

import base64
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any


class RefusedError(Exception):
    """OpenSearch rejected a request or did not answer. The text is for the operators of the platform."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
        """HTTP status; 0 without a response."""


class OpenSearch:
    """Client of OpenSearch's HTTP API."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if username:
            login = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 -- JSON
        """The response as JSON. Raises RefusedError with OpenSearch's reason, and OSError without a response."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self._headers, method=method)  # noqa: S310 -- checked
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{method} {path}: {error.code}: {_reason(error)}", error.code) from None

    def wait(self, seconds: float) -> None:
        """Waits until OpenSearch answers. Raises RefusedError after this time, or at once if it rejects the login."""
        deadline = time.monotonic() + seconds
        while problem := self._problem():
            if time.monotonic() > deadline:
                raise RefusedError(f"{self.url} does not answer: {problem}; check opensearchUrl and who may reach it")
            time.sleep(2)

    def _problem(self) -> Exception | None:
        """Why OpenSearch does not answer yet; None if it does."""
        try:
            self.ask("GET", "/")
        except RefusedError as error:
            if error.status in (401, 403):
                hint = "check opensearchUsername and the secret opensearchPassword"
                raise RefusedError(f"{self.url} does not take the login: {error}; {hint}", error.status) from None
            return error
        except OSError as error:
            return error
        return None


def connected() -> OpenSearch:
    """The OpenSearch that OPENSEARCH_URL names, once it answers; without OPENSEARCH_USERNAME there is no login.

    Waits for WAIT_SECONDS at most. Raises RefusedError if it does not answer or does not take OPENSEARCH_PASSWORD.
    """
    environment = os.environ
    opensearch = OpenSearch(
        environment["OPENSEARCH_URL"],
        environment.get("OPENSEARCH_USERNAME", ""),
        environment.get("OPENSEARCH_PASSWORD", ""),
    )
    opensearch.wait(float(environment.get("WAIT_SECONDS", "300")))
    return opensearch


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        cause = json.loads(text)["error"]
        return str(cause["reason"] if isinstance(cause, dict) else cause)
    except (ValueError, KeyError, TypeError):
        return text[:500] or error.reason
