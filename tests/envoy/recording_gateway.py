"""A gateway that keeps what it is sent and answers so that each behaviour of the edge can be seen."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, ResourceInfo
from grpc_status import rpc_status

from acervo.gateway.v1 import (
    edge_service_pb2,
    edge_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    openai_service_pb2_grpc,
    upload_service_pb2,
    upload_service_pb2_grpc,
)
from acervo.rag.v1 import (
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    system_service_pb2,
)
from serving.server import Server, bind
from serving.status import make_status
from tests.envoy.openai_service import OpenAi

JOB = "jobs/0192f0c1-2345-7abc-8def-0123456789ab"
LOST = "jobs/00000000-0000-7000-8000-000000000000"
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(slots=True)
class Call:
    """One call: the requests that came and the metadata before them."""

    metadata: dict[str, str]
    requests: list[Any] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def body(self) -> bytes:
        """The bytes of an upload, joined."""
        return b"".join(request.body.data for request in self.requests)


class RecordingGateway:
    """All the services, what they were last called with, and the events that a test lets out one by one."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.frames: asyncio.Queue[str] = asyncio.Queue()

    def begin(self, name: str, context: Context, *requests: Message) -> Call:
        """Keep the beginning of a call."""
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        call = self.calls[name] = Call(metadata, list(requests))
        return call

    def bind(self) -> Server:
        """A server of the project's own kind on a free port, with every service on it."""
        server = bind("127.0.0.1:0", [], [])
        upload_service_pb2_grpc.add_UploadServiceServicer_to_server(Upload(self), server.grpc)
        event_service_pb2_grpc.add_EventServiceServicer_to_server(Events(self), server.grpc)
        edge_service_pb2_grpc.add_EdgeServiceServicer_to_server(Edge(), server.grpc)
        job_service_pb2_grpc.add_JobServiceServicer_to_server(Jobs(self), server.grpc)
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(Search(self), server.grpc)
        ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(Ingest(self), server.grpc)
        openai_service_pb2_grpc.add_OpenAiServiceServicer_to_server(OpenAi(self), server.grpc)
        return server


class Upload(upload_service_pb2_grpc.UploadServiceServicer):
    def __init__(self, gateway: RecordingGateway) -> None:
        self._gateway = gateway

    async def Upload(
        self, request_iterator: AsyncIterator[upload_service_pb2.UploadRequest], context: Context
    ) -> upload_service_pb2.UploadResponse:
        call = self._gateway.begin("Upload", context)
        async for request in request_iterator:
            call.requests.append(request)
        if call.requests[0].file_name == "too-large":
            trailing = (("x-http-error-code", "413"),)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "The file is too large.", trailing)
        await context.send_initial_metadata((("x-http-code", "202"),))
        return upload_service_pb2.UploadResponse(job_id=JOB.removeprefix("jobs/"), status="QUEUED")


class Events(event_service_pb2_grpc.EventServiceServicer):
    def __init__(self, gateway: RecordingGateway) -> None:
        self._gateway = gateway

    async def StreamJobEvents(
        self, request: event_service_pb2.StreamJobEventsRequest, context: Context
    ) -> AsyncIterator[event_service_pb2.StreamJobEventsResponse]:
        call = self._gateway.begin("StreamJobEvents", context, request)
        if request.name == LOST:
            await _abort_lost(context)
        try:
            content_type = "text/event-stream"
            while frame := await self._gateway.frames.get():
                body = HttpBody(content_type=content_type, data=frame.encode())
                yield event_service_pb2.StreamJobEventsResponse(body=body)
                content_type = ""
        finally:
            call.cancelled.set()


class Edge(edge_service_pb2_grpc.EdgeServiceServicer):
    async def GetLiveness(
        self, request: edge_service_pb2.GetLivenessRequest, context: Context
    ) -> edge_service_pb2.GetLivenessResponse:
        del request, context
        return edge_service_pb2.GetLivenessResponse(status="ok")

    async def GetReadiness(
        self, request: edge_service_pb2.GetReadinessRequest, context: Context
    ) -> edge_service_pb2.GetReadinessResponse:
        del request
        await context.send_initial_metadata((("x-http-code", "503"),))
        component = system_service_pb2.Component(name="disk", condition=system_service_pb2.CONDITION_DOWN)
        return edge_service_pb2.GetReadinessResponse(status="down", components=[component])

    async def GetOpenApi(
        self, request: edge_service_pb2.GetOpenApiRequest, context: Context
    ) -> edge_service_pb2.GetOpenApiResponse:
        del request, context
        body = HttpBody(content_type="application/json", data=b'{"openapi":"3.1.0"}')
        return edge_service_pb2.GetOpenApiResponse(body=body)


class Jobs(job_service_pb2_grpc.JobServiceServicer):
    def __init__(self, gateway: RecordingGateway) -> None:
        self._gateway = gateway

    async def JobStatus(
        self, request: job_service_pb2.JobStatusRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.JobStatusResponse]:
        self._gateway.begin("JobStatus", context, request)
        for revision in (1, 2):
            yield job_service_pb2.JobStatusResponse(job=job_pb2.Job(name=request.name, revision=revision))

    async def GetJob(self, request: job_service_pb2.GetJobRequest, context: Context) -> job_service_pb2.GetJobResponse:
        call = self._gateway.begin("GetJob", context, request)
        call.metadata["time-remaining"] = str(context.time_remaining())
        if request.name == LOST:
            await _abort_lost(context)
        job = job_pb2.Job(name=request.name, state=job_pb2.JOB_STATE_RUNNING, size_bytes=2**40)
        return job_service_pb2.GetJobResponse(job=job)

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: Context
    ) -> job_service_pb2.ListJobsResponse:
        self._gateway.begin("ListJobs", context, request)
        jobs = [job_pb2.Job(name=JOB, file_name="f" * 1024) for _ in range(4 * 1024)]
        return job_service_pb2.ListJobsResponse(jobs=jobs if request.page_size else [])

    async def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, context: Context
    ) -> job_service_pb2.CancelJobResponse:
        self._gateway.begin("CancelJob", context, request)
        return job_service_pb2.CancelJobResponse(job=job_pb2.Job(name=request.name))

    async def RetryJob(
        self, request: job_service_pb2.RetryJobRequest, context: Context
    ) -> job_service_pb2.RetryJobResponse:
        self._gateway.begin("RetryJob", context, request)
        return job_service_pb2.RetryJobResponse(job=job_pb2.Job(name=request.name))


class Search(search_service_pb2_grpc.SearchServiceServicer):
    def __init__(self, gateway: RecordingGateway) -> None:
        self._gateway = gateway

    async def Search(
        self, request: search_service_pb2.SearchRequest, context: Context
    ) -> search_service_pb2.SearchResponse:
        self._gateway.begin("Search", context, request)
        return search_service_pb2.SearchResponse(hits=[search_service_pb2.SearchHit(text=request.query)])


class Ingest(ingest_service_pb2_grpc.IngestServiceServicer):
    def __init__(self, gateway: RecordingGateway) -> None:
        self._gateway = gateway

    async def BeginIngest(
        self, request: ingest_service_pb2.BeginIngestRequest, context: Context
    ) -> ingest_service_pb2.BeginIngestResponse:
        self._gateway.begin("BeginIngest", context, request)
        return ingest_service_pb2.BeginIngestResponse()

    async def Ingest(
        self, request_iterator: AsyncIterator[ingest_service_pb2.IngestRequest], context: Context
    ) -> ingest_service_pb2.IngestResponse:
        call = self._gateway.begin("Ingest", context)
        async for request in request_iterator:
            call.requests.append(request)
        return ingest_service_pb2.IngestResponse(job=job_pb2.Job(name=JOB))


async def _abort_lost(context: Context) -> None:
    info = ErrorInfo(domain="acervo", reason="JOB_NOT_FOUND")
    lost = ResourceInfo(resource_type="job", resource_name=LOST)
    status = make_status(grpc.StatusCode.NOT_FOUND, "There is no such job.", info, lost)
    await context.abort_with_status(rpc_status.to_status(status))
