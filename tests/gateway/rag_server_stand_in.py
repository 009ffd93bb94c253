"""A small rag_server with real sockets: jobs in memory that a test moves by hand. It can be stopped and started."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from acervo.rag.v1 import (
    collection_pb2,
    collection_service_pb2,
    document_pb2,
    document_service_pb2,
    ingest_service_pb2,
    job_pb2,
    job_service_pb2,
    search_service_pb2,
)
from acervo.rag.v1.collection_service_pb2_grpc import (
    CollectionServiceServicer,
    add_CollectionServiceServicer_to_server,
)
from acervo.rag.v1.content_service_pb2_grpc import add_ContentServiceServicer_to_server
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceServicer, add_DocumentServiceServicer_to_server
from acervo.rag.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceServicer, add_IngestServiceServicer_to_server
from acervo.rag.v1.job_service_pb2_grpc import JobServiceServicer, add_JobServiceServicer_to_server
from acervo.rag.v1.queue_service_pb2_grpc import add_QueueServiceServicer_to_server
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceServicer, add_SearchServiceServicer_to_server
from acervo.rag.v1.system_service_pb2_grpc import add_SystemServiceServicer_to_server
from serving import paging
from serving.errors import Conflict, NotFound, ServiceError
from serving.interceptors import Around, Context
from serving.layers import errors_to_status, identified
from serving.server import Server, bind
from tests.gateway.contents_stand_in import ContentsStandIn
from tests.gateway.embedding_stand_in import EmbeddingStandIn
from tests.gateway.queue_stand_in import QueueStandIn
from tests.gateway.system_stand_in import SystemStandIn

TERMINAL = (
    job_pb2.JOB_STATE_SUCCEEDED,
    job_pb2.JOB_STATE_SUCCEEDED_PARTIALLY,
    job_pb2.JOB_STATE_FAILED,
    job_pb2.JOB_STATE_CANCELLED,
    job_pb2.JOB_STATE_DEAD,
)


class JobNotFound(NotFound):
    """There is no such job."""

    reason = "JOB_NOT_FOUND"


class RequestIdReused(Conflict):
    """The request id was used before."""

    reason = "REQUEST_ID_REUSED"


@dataclass(slots=True)
class RagServerStandIn:
    """What it holds, what it was told, and what it is to fail with."""

    jobs: dict[str, job_pb2.Job] = field(default_factory=dict)
    documents: dict[str, document_pb2.Document] = field(default_factory=dict)
    taken: list[ingest_service_pb2.IngestHeader] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)  # of each Ingest
    cancelled: list[str] = field(default_factory=list)
    refuse_key: str = ""  # of documents that are refused
    failure: ServiceError | None = None  # what Search and Ingest fail with
    hangs: bool = False  # Search and JobStatus never answer
    unchanged: job_pb2.Job | None = None  # what BeginIngest answers with
    heartbeat_s: float = 9.0
    port: int = 0
    _server: Server | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Listen, on the port of the last time."""
        server = bind(f"127.0.0.1:{self.port}", [Around(identified), Around(errors_to_status)], [])
        add_IngestServiceServicer_to_server(Ingest(self), server.grpc)
        add_JobServiceServicer_to_server(Jobs(self), server.grpc)
        add_DocumentServiceServicer_to_server(Documents(self), server.grpc)
        add_ContentServiceServicer_to_server(ContentsStandIn(), server.grpc)
        add_CollectionServiceServicer_to_server(Collections(), server.grpc)
        add_QueueServiceServicer_to_server(QueueStandIn(), server.grpc)
        add_SearchServiceServicer_to_server(Search(self), server.grpc)
        add_SystemServiceServicer_to_server(SystemStandIn(), server.grpc)
        add_EmbeddingServiceServicer_to_server(EmbeddingStandIn(self), server.grpc)
        await server.start()
        await server.ready()
        self.port, self._server = server.port, server

    async def drain(self) -> None:
        """Say NOT_SERVING, and answer all the same."""
        if self._server is not None:
            await self._server.health.enter_graceful_shutdown()

    async def stop(self) -> None:
        """Break all connections."""
        if self._server is not None:
            await self._server.grpc.stop(None)
            self._server = None

    def move(self, job_id: str, state: "job_pb2.JobState.ValueType") -> None:
        """The job is in another state now."""
        job = self.jobs[job_id]
        job.state = state
        job.revision += 1
        self.tell()

    def tell(self) -> None:
        """Wake the streams."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Return at the next change, or after the time of a heartbeat."""
        try:
            async with asyncio.timeout(self.heartbeat_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def hang(self) -> None:
        """Return never where that is what it is to do."""
        if self.hangs:
            await asyncio.Event().wait()

    def job(self, name: str) -> job_pb2.Job:
        """Raises JobNotFound."""
        job_id = name.removeprefix("jobs/")
        if job_id not in self.jobs:
            raise JobNotFound(name=name)
        return self.jobs[job_id]


class Ingest(IngestServiceServicer):
    def __init__(self, state: RagServerStandIn) -> None:
        self._state = state

    async def BeginIngest(self, _request: Any, _context: Context) -> ingest_service_pb2.BeginIngestResponse:
        return ingest_service_pb2.BeginIngestResponse(
            existing_job=self._state.unchanged, max_size_bytes=1 << 40, max_piece_bytes=262_144
        )

    async def Ingest(
        self, requests: AsyncIterator[ingest_service_pb2.IngestRequest], context: Context
    ) -> ingest_service_pb2.IngestResponse:
        parts = [request async for request in requests]
        header = parts[0].header
        assert parts[-1].WhichOneof("part") == "end"
        if self._state.failure is not None:
            raise self._state.failure
        if header.document_key and header.document_key == self._state.refuse_key:
            raise RequestIdReused(key="told")
        self._state.taken.append(header)
        self._state.metadata.append({k: v for k, v in context.invocation_metadata() or () if isinstance(v, str)})
        job_id = header.job.removeprefix("jobs/")
        if job_id not in self._state.jobs:
            self._state.jobs[job_id] = job_pb2.Job(
                name=header.job,
                state=job_pb2.JOB_STATE_QUEUED,
                revision=1,
                document_key=header.document_key,
                collection=f"collections/{header.collection}",
                request_id=header.request_id,
            )
            self._state.tell()
        return ingest_service_pb2.IngestResponse(job=self._state.jobs[job_id])


class Jobs(JobServiceServicer):
    def __init__(self, state: RagServerStandIn) -> None:
        self._state = state

    async def JobStatus(
        self, request: job_service_pb2.JobStatusRequest, _context: Context
    ) -> AsyncGenerator[job_service_pb2.JobStatusResponse]:
        await self._state.hang()
        seen = request.after_revision if request.HasField("after_revision") else -1
        told_s = time.monotonic()
        while True:
            job = self._state.job(request.name)
            if job.revision > seen or job.state in TERMINAL or time.monotonic() - told_s >= self._state.heartbeat_s:
                yield job_service_pb2.JobStatusResponse(job=job)
                seen, told_s = job.revision, time.monotonic()
            if job.state in TERMINAL:
                return
            await self._state.changed()

    async def GetJob(self, request: job_service_pb2.GetJobRequest, _context: Context) -> job_service_pb2.GetJobResponse:
        return job_service_pb2.GetJobResponse(job=self._state.job(request.name))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, _context: Context
    ) -> job_service_pb2.ListJobsResponse:
        before = paging.decode(request.page_token, "jobs")
        limit = request.page_size or 50
        ids = [job_id for job_id in sorted(self._state.jobs, reverse=True) if not before or job_id < before]
        more = paging.encode(ids[limit - 1], "jobs") if len(ids) > limit else ""
        return job_service_pb2.ListJobsResponse(
            jobs=[self._state.jobs[job_id] for job_id in ids[:limit]], next_page_token=more
        )

    async def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, _context: Context
    ) -> job_service_pb2.CancelJobResponse:
        self._state.cancelled.append(request.name)
        job = self._state.job(request.name)
        self._state.move(job.name.removeprefix("jobs/"), job_pb2.JOB_STATE_CANCELLED)
        return job_service_pb2.CancelJobResponse(job=job)

    async def RetryJob(
        self, request: job_service_pb2.RetryJobRequest, _context: Context
    ) -> job_service_pb2.RetryJobResponse:
        job = self._state.job(request.name)
        self._state.move(job.name.removeprefix("jobs/"), job_pb2.JOB_STATE_QUEUED)
        return job_service_pb2.RetryJobResponse(job=job)


class Documents(DocumentServiceServicer):
    def __init__(self, state: RagServerStandIn) -> None:
        self._state = state

    async def GetDocument(
        self, request: document_service_pb2.GetDocumentRequest, _context: Context
    ) -> document_service_pb2.GetDocumentResponse:
        return document_service_pb2.GetDocumentResponse(document=self._state.documents[request.name])

    async def ListDocuments(
        self, _request: document_service_pb2.ListDocumentsRequest, _context: Context
    ) -> document_service_pb2.ListDocumentsResponse:
        return document_service_pb2.ListDocumentsResponse(documents=self._state.documents.values())

    async def DeleteDocument(
        self, request: document_service_pb2.DeleteDocumentRequest, _context: Context
    ) -> document_service_pb2.DeleteDocumentResponse:
        del self._state.documents[request.name]
        return document_service_pb2.DeleteDocumentResponse(sequence=7)

    async def DeleteDocuments(
        self, request: document_service_pb2.DeleteDocumentsRequest, _context: Context
    ) -> document_service_pb2.DeleteDocumentsResponse:
        if request.dry_run:
            return document_service_pb2.DeleteDocumentsResponse(document_count=len(self._state.documents))
        job = job_pb2.Job(name="jobs/a-delete", request_id=request.request_id)
        return document_service_pb2.DeleteDocumentsResponse(job_id="a-delete", status="QUEUED", job=job)


class Collections(CollectionServiceServicer):
    async def GetCollection(
        self, request: collection_service_pb2.GetCollectionRequest, _context: Context
    ) -> collection_service_pb2.GetCollectionResponse:
        return collection_service_pb2.GetCollectionResponse(collection=collection_pb2.Collection(name=request.name))

    async def ListCollections(
        self, _request: collection_service_pb2.ListCollectionsRequest, _context: Context
    ) -> collection_service_pb2.ListCollectionsResponse:
        names = [collection_pb2.Collection(name="collections/default")]
        return collection_service_pb2.ListCollectionsResponse(collections=names)

    async def DeleteCollection(
        self, _request: collection_service_pb2.DeleteCollectionRequest, _context: Context
    ) -> collection_service_pb2.DeleteCollectionResponse:
        return collection_service_pb2.DeleteCollectionResponse(sequence=8, documents_deleted=1)


class Search(SearchServiceServicer):
    def __init__(self, state: RagServerStandIn) -> None:
        self._state = state

    async def Search(
        self, request: search_service_pb2.SearchRequest, _context: Context
    ) -> search_service_pb2.SearchResponse:
        await self._state.hang()
        if self._state.failure is not None:
            raise self._state.failure
        return search_service_pb2.SearchResponse(hits=[search_service_pb2.SearchHit(text=request.query)])
