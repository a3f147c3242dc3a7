"""A client that calls an ASGI application in this process, without a port."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI


class Client:
    """Synchronous requests to one application."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self._request("GET", path, **arguments)

    def put(self, path: str, **arguments: Any) -> httpx.Response:
        return self._request("PUT", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self._request("POST", path, **arguments)

    def delete(self, path: str, **arguments: Any) -> httpx.Response:
        return self._request("DELETE", path, **arguments)

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://pod") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(call())
