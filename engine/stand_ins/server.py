"""Serves a provider to the engine, with its errors as one message each."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import grpc
from grpc import aio
from pulumi.provider.experimental.provider import Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

from engine.stand_ins.errors import ProviderError

_MESSAGE_LIMIT = 400 * 1024 * 1024  # bytes; the engine's own limit


class _Reporting(aio.ServerInterceptor):
    """Turns the stand-ins' errors into gRPC errors that contain only the message for the user."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:  # noqa: ANN401 (untyped)
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def call(request: object, context: Any) -> Any:  # noqa: ANN401 (generated code has no types)
            try:
                return await handler.unary_unary(request, context)
            except ProviderError as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)


class Notes:
    """Shows notes to the user of the engine: one line each, each line only once."""

    def __init__(self, engine: str) -> None:
        """`engine` is its address; if it is empty (in tests), the lines are only stored."""
        self.lines: list[str] = []
        # Generated code is typed for the blocking kind of channel.
        self._stub: Any = engine_pb2_grpc.EngineStub(aio.insecure_channel(engine)) if engine else None

    async def __call__(self, text: str) -> None:
        """Show `text`, unless it was shown before."""
        if text in self.lines:
            return
        self.lines.append(text)
        if self._stub:
            await self._stub.Log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text))


async def _serve(make: Callable[[Notes], Provider], version: str, engine: str) -> None:
    options = [("grpc.max_receive_message_length", _MESSAGE_LIMIT), ("grpc.max_send_message_length", _MESSAGE_LIMIT)]
    server = aio.server(interceptors=[_Reporting()], options=options)
    servicer = ProviderServicer(sys.argv[1:], version, make(Notes(engine)), engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # the engine reads the port from the first line
    # The engine ends its plugins with a signal. A killed engine cannot, so this loop also ends without its parent.
    ended, parent = asyncio.Event(), os.getppid()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    while os.getppid() == parent and not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), timeout=1)
    await server.stop(grace=None)


def serve(make: Callable[[Notes], Provider], version: str) -> None:
    """Serve the provider that `make` returns until the engine ends; the engine's address is the first argument.

    `version` is the release of the official provider that the stand-in follows.
    """
    engine = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    asyncio.run(_serve(make, version, engine))
