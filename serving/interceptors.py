"""Interceptors as context managers: a layer is written once and wraps all kinds of calls."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a layer sees it."""

    method: str  # "/package.Service/Method"
    request: Message | None  # None where requests are streamed
    context: Context


Layer = Callable[[Call], AbstractAsyncContextManager[None]]
Check = Callable[[Message], None]


class Around(grpc.aio.ServerInterceptor):
    """Runs every call inside a layer. The layer's end runs on success, on error and when the client cancels.

    It belongs to one server, whose handlers it keeps.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}  # by method: each is wrapped once

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        if method in self._handlers:
            return self._handlers[method]
        handler: Any = await continuation(handler_call_details)
        if handler is None:  # an unknown method: grpc answers UNIMPLEMENTED
            return handler
        kind = ("stream" if handler.request_streaming else "unary", "stream" if handler.response_streaming else "unary")
        name = "_".join(kind)
        inner = getattr(handler, name)
        # A stream may also be a coroutine that writes to its context, as grpc's own Health.Watch.
        wrap = self._single if inspect.iscoroutinefunction(inner) else self._streaming
        wrapped = handler._replace(**{name: wrap(inner, method, handler.request_streaming)})
        self._handlers[method] = wrapped
        return wrapped

    def _single(self, inner: Any, method: str, request_streaming: bool) -> Any:  # noqa: FBT001 - one of four kinds
        async def behaviour(request: Any, context: Context) -> Any:
            async with self._layer(Call(method, None if request_streaming else request, context)):
                return await inner(self._requests(request, request_streaming), context)

        return behaviour

    def _streaming(self, inner: Any, method: str, request_streaming: bool) -> Any:  # noqa: FBT001 - see above
        async def behaviour(request: Any, context: Context) -> AsyncGenerator[Any]:
            async with (
                self._layer(Call(method, None if request_streaming else request, context)),
                aclosing(inner(self._requests(request, request_streaming), context)) as responses,
            ):
                async for response in responses:
                    yield response

        return behaviour

    def _requests(self, request: Any, request_streaming: bool) -> Any:  # noqa: ARG002, FBT001 - see Checked
        return request


class Checked(Around):
    """Runs a check on every request message, those of streams included, before the handler sees it."""

    def __init__(self, check: Check) -> None:
        super().__init__(_nothing)
        self._check = check

    def _requests(self, request: Any, request_streaming: bool) -> Any:  # noqa: FBT001 - see Around
        if request_streaming:
            return self._each(request)
        self._check(request)
        return request

    async def _each(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            self._check(request)
            yield request


@asynccontextmanager
async def _nothing(_call: Call) -> AsyncIterator[None]:
    yield
