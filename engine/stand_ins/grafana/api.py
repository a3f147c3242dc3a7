"""Sends requests to one Grafana, and turns its errors into messages that a person can act on."""

import asyncio
import time
from http import HTTPStatus
from typing import Any, cast

import httpx

from engine.stand_ins.errors import ProviderError
from engine.stand_ins.values import Object

# Seconds; Grafana may answer slowly while it migrates its database, or on a busy machine.
_TIMEOUT = 30.0
_LOOK_TIMEOUT = 3.0
_BUSY_WAITS = (0.5, 1, 2, 4)
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}


class ApiError(ProviderError):
    """Grafana rejected a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The HTTP API of the Grafana at `url`; `auth` is `user:password` or a token."""

    def __init__(self, url: str, auth: str) -> None:
        self.url = url.rstrip("/")
        user, colon, password = auth.partition(":")
        headers = {"User-Agent": "pulumi-grafana"}
        login = httpx.BasicAuth(user, password) if colon else None
        if auth and auth != "anonymous" and not colon:
            headers["Authorization"] = f"Bearer {auth}"
        # Without trust_env: a proxy set in the environment cannot reach a local port.
        self._client = httpx.AsyncClient(auth=login, headers=headers, timeout=_TIMEOUT, trust_env=False)

    async def health(self) -> str:
        """The reason why Grafana does not answer; empty if it does. Raises ProviderError if another program answers."""
        try:
            answer = await self._client.get(f"{self.url}/api/health", timeout=_LOOK_TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return str(error) or type(error).__name__
        if answer.status_code in _BUSY:
            return f"HTTP {answer.status_code}"
        if "database" not in _object(answer):
            raise ProviderError(f"the server at {self.url} is not Grafana (HTTP {answer.status_code} for /api/health)")
        return ""

    async def wait(self, seconds: float) -> None:
        """Return when Grafana answers and accepts the login. Raises ProviderError after `seconds`."""
        deadline = time.monotonic() + seconds
        while reason := await self.health():
            if time.monotonic() >= deadline:
                raise ProviderError(f"Grafana at {self.url} did not answer within {seconds:g} s: {reason}")
            await asyncio.sleep(min(1.0, seconds))
        await self.request("GET", "/api/org")

    async def get(self, path: str) -> Any:  # noqa: ANN401 (an object or a list, depending on the path)
        """The JSON at `path`; None if it does not exist."""
        try:
            return await self.request("GET", path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def delete(self, path: str) -> None:
        """Delete an object, which may be gone already."""
        try:
            await self.request("DELETE", path)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def request(self, method: str, path: str, body: Object | None = None) -> Any:  # noqa: ANN401 (see get)
        """Send one request and return its JSON answer; retries for some seconds while Grafana is busy."""
        waits = iter(_BUSY_WAITS)
        while True:
            try:
                answer = await self._client.request(method, self.url + path, json=body)
            except httpx.HTTPError as error:
                raise ProviderError(
                    f"Grafana at {self.url} does not answer: {error or type(error).__name__}"
                ) from error
            wait = next(waits, None) if answer.status_code in _BUSY else None
            if wait is None:
                break
            await asyncio.sleep(wait)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise ApiError(
                answer.status_code,
                f"Grafana at {self.url} refuses the login. Its database keeps the password of its first start; "
                "set a new one with `grafana cli admin reset-admin-password` inside the pod",
            )
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            reason = _object(answer).get("message") or answer.text.strip()[:500]
            raise ApiError(answer.status_code, f"Grafana: {method} {path}: HTTP {answer.status_code}: {reason}")
        return answer.json() if answer.content else {}


def _object(answer: httpx.Response) -> Object:
    try:
        found: object = answer.json()
    except ValueError:
        return {}
    return cast(Object, found) if isinstance(found, dict) else {}
