"""The gateway's one channel to the rag_servers: deadlines, a breaker, and the identity of the request."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress
from typing import Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceStub
from acervo.rag.v1.content_service_pb2_grpc import ContentServiceStub
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceStub
from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceStub
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceStub
from gateway.adapters.rag_client.hedging import Hedging
from gateway.adapters.rag_client.statuses import is_lost
from gateway.adapters.rag_client.targets import balanced, target
from gateway.domain.breaker import Breaker
from gateway.domain.errors import RagServerSlow, RagServerUnavailable
from serving import logs, trace

LOG = logs.get(__name__)
Request = TypeVar("Request")
Response = TypeVar("Response")
Metadata = tuple[tuple[str, str], ...]

PROBE_EVERY_S = 1.0
PROBE_AGAIN_S = 0.2  # while the breaker is open: clients wait for it
PROBE_TIMEOUT_S = 1.0
PROBE_SILENT_S = 0.3
FIRST_CONTACT_S = 5.0
OPTIONS = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A server that comes back is found at once, not after the default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.max_metadata_size", 32_768),
    ("grpc.absolute_max_metadata_size", 65_536),
)


class RagClient:
    """Calls go out while the breaker is closed; `watch_health` closes it again."""

    def __init__(self, addresses: Sequence[str]) -> None:
        """Connects when first used. Each address is host:port; a name stands for all that DNS has for it.

        Raises SettingsError where several cannot be used together.
        """
        options = (*OPTIONS, *balanced(addresses))
        self._channel = grpc.aio.insecure_channel(target(addresses), options=options)
        self._has_several = len(addresses) > 1
        self._check = health_pb2_grpc.HealthStub(self._channel).Check  # type: ignore[attr-defined]  # the stubs lack it
        self._hedging, self._probing = Hedging(), Hedging(PROBE_SILENT_S)
        self._breaker = Breaker()
        self._closed = asyncio.Event()
        self._closed.set()
        self._found_out = asyncio.Event()  # set once the server has answered, or has failed to for long enough
        self.collections = CollectionServiceStub(self._channel)
        self.contents = ContentServiceStub(self._channel)
        self.documents = DocumentServiceStub(self._channel)
        self.embedding = EmbeddingServiceStub(self._channel)
        self.ingest = IngestServiceStub(self._channel)
        self.jobs = JobServiceStub(self._channel)
        self.queue = QueueServiceStub(self._channel)
        self.search = SearchServiceStub(self._channel)
        self.system = SystemServiceStub(self._channel)

    async def ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float,
        *,
        again: bool = False,
        patiently: bool = False,
    ) -> Response:
        """One answer. With `again` a question is put once more where it is lost: only for what changes nothing.

        So is one that is not answered in good time, unless it is asked `patiently`: because answers take long. Raises
        RagServerUnavailable where nobody answers; a status of the rag_server as grpc.aio.AioRpcError.
        """
        if not again:
            return await self._once(method, request, timeout_s)
        return await self._hedging.first(
            method, lambda left_s: self._once(method, request, left_s), timeout_s, patiently=patiently
        )

    async def hand_over(
        self,
        method: grpc.aio.StreamUnaryMultiCallable[Request, Response],
        requests: Iterator[Request],
        timeout_s: float,
        metadata: Metadata,
    ) -> Response:
        """A stream of requests that is known beforehand. Raises as `ask`."""
        self._check_closed()
        try:
            response = await method(requests, timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            self._heard(error)
            raise
        self._answered()
        return response

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        timeout_s: float | None,
    ) -> AsyncGenerator[Response]:
        """Answers as they come. Raises as `ask`."""
        await self._let_through()
        call = method(request, timeout=timeout_s, metadata=identity())
        try:
            async for response in call:
                self._answered()
                yield response
        except grpc.aio.AioRpcError as error:
            self._heard(error)
            raise
        finally:
            call.cancel()

    async def first_contact(self, timeout_s: float) -> None:
        """Return once the server has answered for the first time, or has failed to, or when the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._found_out.wait()

    async def reachable(self) -> None:
        """Return at once while the breaker is closed and the server has answered once; else as soon as that is so."""
        await self._found_out.wait()
        await self._closed.wait()

    async def watch_health(self) -> None:
        """Ask for the server's health again and again: the only calls that an open breaker lets through."""
        while True:
            try:
                await (self._probe if self._breaker.is_open else self._probe_two)(PROBE_TIMEOUT_S)
                self._answered()
            except RagServerUnavailable as error:
                self._failed()
                if isinstance(error, RagServerSlow):
                    continue  # it has waited; a server that comes is to be noticed at once
            await asyncio.sleep(PROBE_AGAIN_S if self._breaker.is_open else PROBE_EVERY_S)

    async def close(self) -> None:
        """End the connection and the calls on it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _probe_two(self, timeout_s: float) -> None:
        """One of several replicas that hangs is not all of them."""
        await self._probing.first("health", self._probe, timeout_s)

    async def _probe(self, timeout_s: float) -> None:
        """Raises RagServerUnavailable."""
        try:
            await self._check(health_pb2.HealthCheckRequest(), timeout=timeout_s, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if is_lost(error):
                raise _unavailable(error) from error

    async def _once(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        await self._let_through()
        try:
            response = await method(request, timeout=timeout_s, metadata=identity())
        except grpc.aio.AioRpcError as error:
            self._heard(error)
            raise
        self._answered()
        return response

    def _heard(self, error: grpc.aio.AioRpcError) -> None:
        """Learn from a failed call. Raises RagServerUnavailable in its stead where nobody answered."""
        if not is_lost(error):
            self._answered()
            return
        unavailable = _unavailable(error)
        if not isinstance(unavailable, RagServerSlow):  # slow is not gone: whether it is the probe finds out
            self._failed()
        raise unavailable from error

    async def _let_through(self) -> None:
        """Raises RagServerUnavailable where that is known; a gateway that has just started finds out first."""
        if not self._found_out.is_set():
            await self.first_contact(FIRST_CONTACT_S)
        self._check_closed()

    def _check_closed(self) -> None:
        if self._breaker.is_open:
            raise RagServerUnavailable

    def _answered(self) -> None:
        if self._breaker.is_open:
            LOG.info("rag_server is back")
        self._breaker = self._breaker.succeeded()
        self._closed.set()
        self._found_out.set()

    def _failed(self) -> None:
        if self._has_several and self._channel.get_state() is grpc.ChannelConnectivity.READY:
            return  # one of them is gone, another one answers the next call
        was_open = self._breaker.is_open
        self._breaker = self._breaker.failed()
        if self._breaker.is_open:
            self._closed.clear()
            self._found_out.set()
            if not was_open:
                LOG.warning("rag_server cannot be reached")


def _unavailable(error: grpc.aio.AioRpcError) -> RagServerUnavailable:
    return RagServerSlow() if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else RagServerUnavailable()


def identity() -> Metadata:
    """What tells the rag_server which request it works for."""
    present = trace.current()
    return (("traceparent", present.traceparent), ("x-request-id", present.request_id))
