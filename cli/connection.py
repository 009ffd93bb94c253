"""A connection to an Acervo server: one channel, its stubs, and calls that fail with a Failure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc

from acervo.gateway.v1.text_service_pb2_grpc import TextServiceStub
from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceStub
from acervo.rag.v1.content_service_pb2_grpc import ContentServiceStub
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceStub
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceStub
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceStub
from cli.refusal import read_refusal, unreachable

Q = TypeVar("Q")
R = TypeVar("R")

CALL_S = 30.0
REACH_S = 3.0
MAX_MESSAGE_BYTES = 64 << 20
LOOPBACK = ("127.", "localhost:", "[::1]:")


class Connection:
    """Stubs for the services of one server. Opens nothing before the first call."""

    def __init__(self, server: str) -> None:
        self.server = server
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # a server that goes away is no news from a library
        self._channel = grpc.insecure_channel(server, options=_channel_options(server))
        self.ingestion = IngestServiceStub(self._channel)
        self.jobs = JobServiceStub(self._channel)
        self.contents = ContentServiceStub(self._channel)
        self.texts = TextServiceStub(self._channel)
        self.documents = DocumentServiceStub(self._channel)
        self.collections = CollectionServiceStub(self._channel)
        self.queue = QueueServiceStub(self._channel)
        self.searches = SearchServiceStub(self._channel)
        self.system = SystemServiceStub(self._channel)

    def call(self, method: "grpc.UnaryUnaryMultiCallable[Q, R]", request: Q, timeout_s: float = CALL_S) -> R:
        """The answer. Raises Failure."""
        try:
            return method(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise read_refusal(error, self.server) from error

    def send(self, method: "grpc.StreamUnaryMultiCallable[Q, R]", requests: Iterator[Q], timeout_s: float) -> R:
        """The answer to a stream of requests. Raises Failure."""
        try:
            return method(requests, timeout=timeout_s)
        except grpc.RpcError as error:
            raise read_refusal(error, self.server) from error

    def stream(self, method: "grpc.UnaryStreamMultiCallable[Q, R]", request: Q, timeout_s: float) -> Iterator[R]:
        """The answers as they come. Raises Failure, and cancels the call when it is left early."""
        call = method(request, timeout=timeout_s)
        try:
            yield from call
        except grpc.RpcError as error:
            raise read_refusal(error, self.server) from error
        finally:
            call.cancel()

    def reach(self) -> None:
        """Wait a moment until something listens at the address. Raises Failure."""
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout=REACH_S)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise unreachable(self.server) from None

    def close(self) -> None:
        """End every call that goes on in any thread, and the connection."""
        self._channel.close()


@contextmanager
def connected(server: str) -> Iterator[Connection]:
    """A connection for the length of a command."""
    connection = Connection(server)
    try:
        yield connection
    finally:
        connection.close()


def _channel_options(server: str) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.enable_retries", 0),  # the commands that may try again do it themselves
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]
    if server.startswith(LOOPBACK):
        options.append(("grpc.enable_http_proxy", 0))  # http_proxy is not meant for this machine
    return options
