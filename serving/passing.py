"""Calls of all kinds passed on to another server as they are: bytes, metadata, deadline, status."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.descriptor_pool import Default
from grpc_reflection.v1alpha import reflection

from serving.interceptors import Context

# Of the connection, or made by grpc anew.
_OWN_METADATA = ("grpc-", "user-agent")
MOST_METHODS = 1_000  # are remembered: clients may ask for any name


def methods_with_streamed_requests(services: Iterable[str]) -> tuple[str, ...]:
    """Of these services and of reflection, as "/package.Service/Method"."""
    return tuple(
        f"/{service}/{method.name}"
        for service in (*services, reflection.SERVICE_NAME)
        for method in Default().FindServiceByName(service).methods
        if method.client_streaming
    )


class PassingOn(grpc.GenericRpcHandler):
    """Answers every method that no other handler has."""

    def __init__(self, channel: grpc.aio.Channel, streamed: Iterable[str]) -> None:
        """`streamed` are the methods whose requests are streams; that answers are needs not be known."""
        self._channel = channel
        self._streamed = frozenset(streamed)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        method = handler_call_details.method
        handler = self._handlers.get(method)
        if handler is None:
            handler = self._handler(method)
            if len(self._handlers) < MOST_METHODS:
                self._handlers[method] = handler
        return handler

    def _handler(self, method: str) -> "grpc.RpcMethodHandler[Any, Any]":
        if method not in self._streamed:
            of_one: Any = self._channel.unary_stream(method)

            async def unary(request: bytes, context: Context) -> AsyncIterator[bytes]:
                call = of_one(request, timeout=context.time_remaining(), metadata=_metadata(context))
                async for response in _responses(call, context):
                    yield response

            return grpc.unary_stream_rpc_method_handler(unary)
        of_stream: Any = self._channel.stream_stream(method)

        async def streamed(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
            call = of_stream(timeout=context.time_remaining(), metadata=_metadata(context))
            writing = asyncio.create_task(_write(call, requests))
            try:
                async for response in _responses(call, context):
                    yield response
            finally:
                writing.cancel()

        return grpc.stream_stream_rpc_method_handler(streamed)


def _metadata(context: Context) -> list[tuple[str, str | bytes]]:
    return [pair for pair in context.invocation_metadata() or () if not pair[0].startswith(_OWN_METADATA)]


async def _responses(call: Any, context: Context) -> AsyncIterator[bytes]:
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata() or ()))
    finally:
        call.cancel()


async def _write(call: Any, requests: AsyncIterator[bytes]) -> None:
    """Until there are no more, or the server has ended the call, whose status says why.

    Not by `call.write`: where the server ends a call while something is being sent, that puts INTERNAL in the place of
    the status that the server gave.
    """
    with suppress(grpc.aio.AioRpcError, grpc.aio.InternalError):
        await call.wait_for_connection()
        async for request in requests:
            await call._cython_call.send_serialized_message(request)  # noqa: SLF001 - see above
        await call.done_writing()
