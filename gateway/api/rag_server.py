"""The rag_server as the api floor sees it: typed stubs, and one way to call them."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc

from serving.interceptors import Context

if TYPE_CHECKING:
    from acervo.rag.v1.collection_service_pb2_grpc import CollectionServiceAsyncStub
    from acervo.rag.v1.content_service_pb2_grpc import ContentServiceAsyncStub
    from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceAsyncStub
    from acervo.rag.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceAsyncStub
    from acervo.rag.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from acervo.rag.v1.queue_service_pb2_grpc import QueueServiceAsyncStub
    from acervo.rag.v1.search_service_pb2_grpc import SearchServiceAsyncStub
    from acervo.rag.v1.system_service_pb2_grpc import SystemServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")

READ_S = 10.0
# Kept back from what the client allows, so that it hears from us and not from its own clock.
MARGIN_S = 0.05


class RagServer(Protocol):
    """Raises RagServerUnavailable where nobody answers; a status of the rag_server as grpc.aio.AioRpcError."""

    collections: "CollectionServiceAsyncStub"
    contents: "ContentServiceAsyncStub"
    documents: "DocumentServiceAsyncStub"
    embedding: "EmbeddingServiceAsyncStub"
    ingest: "IngestServiceAsyncStub"
    jobs: "JobServiceAsyncStub"
    queue: "QueueServiceAsyncStub"
    search: "SearchServiceAsyncStub"
    system: "SystemServiceAsyncStub"

    async def ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float,
        *,
        again: bool = False,
        patiently: bool = False,
    ) -> Response:
        """One answer; with `again` a question that is lost is put once more; so is a silent one, unless `patiently`."""

    def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        timeout_s: float | None,
    ) -> AsyncGenerator[Response]:
        """Answers as they come."""


def allowed_s(context: Context, own_s: float = READ_S) -> float:
    """How long the next hop may take: our own limit, or what the client leaves us."""
    remaining_s = context.time_remaining()
    return own_s if remaining_s is None else max(0.001, min(own_s, remaining_s - MARGIN_S))
