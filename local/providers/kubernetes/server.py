"""Serves the provider to the engine, with errors as it expects them: one message, and the state of what half exists."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any

import grpc
from google.protobuf import any_pb2
from grpc import aio
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from local.providers.kubernetes.connection import ProviderError
from local.providers.kubernetes.kinds import UnsupportedKindError
from local.providers.kubernetes.objects import InitError
from local.providers.kubernetes.provider import KubernetesProvider
from local.providers.kubernetes.ready import NotReadyError

VERSION = "4.34.2"
"""The release of the official provider whose behaviour is followed."""

_MESSAGE_LIMIT = 400 * 1024 * 1024  # bytes; the engine's own limit


class _Reporting(aio.ServerInterceptor):
    """Turns our errors into gRPC errors that carry nothing but what a person should read."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:  # noqa: ANN401 (untyped)
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def call(request: object, context: Any) -> Any:  # noqa: ANN401 (generated code has no types)
            try:
                return await handler.unary_unary(request, context)
            except InitError as error:
                metadata = (("grpc-status-details-bin", details(error)),)
                await context.abort(grpc.StatusCode.UNKNOWN, str(error), metadata)
            except (ProviderError, UnsupportedKindError, NotReadyError) as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)


def details(error: InitError) -> bytes:
    """The part of the error that makes the engine keep the object in its state, marked as not initialised."""
    failed = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=PropertyValue.marshal_map(error.state),
        inputs=PropertyValue.marshal_map(error.inputs),
        reasons=error.reasons,
    )
    packed = any_pb2.Any()
    packed.Pack(failed)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])
    return status.SerializeToString()


async def _serve(engine: str) -> None:
    options = [("grpc.max_receive_message_length", _MESSAGE_LIMIT), ("grpc.max_send_message_length", _MESSAGE_LIMIT)]
    server = aio.server(interceptors=[_Reporting()], options=options)
    servicer = ProviderServicer(sys.argv[1:], VERSION, KubernetesProvider(), engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # the engine reads the port from the first line
    # The engine ends its plugins with a signal; one that is killed itself cannot, and then nobody else would.
    ended, parent = asyncio.Event(), os.getppid()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    while os.getppid() == parent and not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), timeout=1)
    await server.stop(grace=None)


def main() -> None:
    """Serve until the engine ends; the engine's address is the first argument."""
    engine = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    asyncio.run(_serve(engine))
