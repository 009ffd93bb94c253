"""Interceptors as context managers: a layer is written once and wraps all kinds of calls."""

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
    """Runs every call inside a layer. The layer's end runs on success, on error and when the client cancels."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler: Any = await continuation(handler_call_details)
        if handler is None:  # an unknown method: grpc answers UNIMPLEMENTED
            return handler
        kind = ("stream" if handler.request_streaming else "unary", "stream" if handler.response_streaming else "unary")
        name = "_".join(kind)
        wrap = self._streaming if handler.response_streaming else self._single
        wrapped = wrap(getattr(handler, name), handler_call_details.method, handler.request_streaming)
        return handler._replace(**{name: wrapped})

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
