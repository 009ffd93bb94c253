"""The rag_server's jobs, as the use cases ask for them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import timedelta
from typing import TypeVar

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from acervo.rag.v1 import ingest_service_pb2, job_pb2, job_service_pb2
from gateway.adapters.rag_client.client import RagClient
from gateway.adapters.rag_client.statuses import refusal_of
from gateway.domain.entry import Entry
from gateway.domain.errors import RagServerSlow, RagServerUnavailable
from gateway.domain.snapshot import Snapshot
from gateway.ports import HandOverFailed, RefusedByRagServer

Response = TypeVar("Response")

HAND_OVER_S = 10.0
ASK_S = 10.0
# The rag_server tells something every 10 s: one that is silent for so long hangs.
SILENT_STREAM_S = 25.0
PAGE_SIZE = 250
MAX_PAGES = 200  # of the list of jobs; what is not in them is asked for one by one
TERMINAL = frozenset(
    {
        job_pb2.JOB_STATE_SUCCEEDED,
        job_pb2.JOB_STATE_SUCCEEDED_PARTIALLY,
        job_pb2.JOB_STATE_FAILED,
        job_pb2.JOB_STATE_CANCELLED,
        job_pb2.JOB_STATE_DEAD,
    }
)


class RagJobs:
    """Implements RagServerIntake, RagServerFeed[job_pb2.Job] and RagServerRecords."""

    def __init__(self, client: RagClient, silent_stream_s: float = SILENT_STREAM_S) -> None:
        """`silent_stream_s` is how long a stream may tell nothing before it is given up."""
        self._client = client
        self._silent_stream_s = silent_stream_s

    async def hand_over(self, entry: Entry) -> str:
        requests = [
            ingest_service_pb2.IngestRequest(header=_header(entry)),
            ingest_service_pb2.IngestRequest(
                end=ingest_service_pb2.IngestEnd(size_bytes=entry.blob.size_bytes, sha256=entry.blob.sha256)
            ),
        ]
        metadata = (("traceparent", entry.origin.traceparent), ("x-request-id", entry.origin.request_id))
        try:
            response = await self._client.hand_over(self._client.ingest.Ingest, iter(requests), HAND_OVER_S, metadata)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise HandOverFailed(error.code().name) from error
            raise RefusedByRagServer(refusal) from error
        return _id(response.job)

    async def withdraw(self, job_id: str) -> bool:
        request = job_service_pb2.CancelJobRequest(name=f"jobs/{job_id}")
        try:
            await self._client.ask(self._client.jobs.CancelJob, request, ASK_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:  # it has ended
                raise HandOverFailed(error.code().name) from error
        return True

    async def watch(self, job_id: str, after_revision: int | None) -> AsyncGenerator[Snapshot[job_pb2.Job]]:
        request = job_service_pb2.JobStatusRequest(name=f"jobs/{job_id}", after_revision=after_revision)
        try:
            async with aclosing(self._client.stream(self._client.jobs.JobStatus, request, None)) as responses:
                while (response := await _next(responses, self._silent_stream_s)) is not None:
                    yield snapshot(response.job)
        except TimeoutError as error:
            raise RagServerSlow from error
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:  # it starts, or stops
                raise RagServerUnavailable from error
            raise

    async def look(self, job_id: str, wait_s: float) -> Snapshot[job_pb2.Job]:
        request = job_service_pb2.GetJobRequest(name=f"jobs/{job_id}")
        request.wait.FromTimedelta(timedelta(seconds=wait_s))
        try:
            timeout_s = wait_s + ASK_S
            response = await self._client.ask(self._client.jobs.GetJob, request, timeout_s, again=True, patiently=True)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:  # it starts, or stops
                raise RagServerUnavailable from error
            raise
        return snapshot(response.job)

    async def missing(self, job_ids: Iterable[str]) -> list[str]:
        wanted = set(job_ids)
        token = ""
        for _ in range(MAX_PAGES):
            if not wanted:
                return []
            request = job_service_pb2.ListJobsRequest(page_size=PAGE_SIZE, page_token=token)
            page = await self._client.ask(self._client.jobs.ListJobs, request, ASK_S, again=True)
            wanted.difference_update(map(_id, page.jobs))
            token = page.next_page_token
            if not token:
                break
        return [job_id for job_id in sorted(wanted) if not await self._exists(job_id)]

    async def reachable(self) -> None:
        await self._client.reachable()

    async def _exists(self, job_id: str) -> bool:
        request = job_service_pb2.GetJobRequest(name=f"jobs/{job_id}")
        try:
            await self._client.ask(self._client.jobs.GetJob, request, ASK_S, again=True)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True


def snapshot(job: job_pb2.Job) -> Snapshot[job_pb2.Job]:
    """A job as far as following it needs to know."""
    return Snapshot(job.revision, job.state in TERMINAL, job)


async def _next(responses: AsyncGenerator[Response], timeout_s: float) -> Response | None:
    """None: there are no more. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        return await anext(responses, None)


def _header(entry: Entry) -> ingest_service_pb2.IngestHeader:
    upload = entry.upload
    metadata = json.loads(upload.metadata_json)
    return ingest_service_pb2.IngestHeader(
        collection=upload.collection,
        document_key=upload.document_key,
        file_name=upload.file_name,
        media_type=upload.media_type,
        metadata=ParseDict(metadata, Struct()) if metadata else None,
        tags=upload.tags,
        priority=upload.priority,
        request_id=upload.request_id,
        declared_size_bytes=entry.blob.size_bytes,
        declared_sha256=entry.blob.sha256,
        blob=ingest_service_pb2.BlobReference(sha256=entry.blob.sha256, size_bytes=entry.blob.size_bytes),
        job=f"jobs/{entry.job_id}",
        kind=job_pb2.JobKind.Value(f"JOB_KIND_{upload.kind}"),
    )


def _id(job: job_pb2.Job) -> str:
    return job.name.removeprefix("jobs/")
