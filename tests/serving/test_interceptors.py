"""Layers wrap every kind of call, see its end, and turn errors into what a client may know."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from acervo.rag.v1 import ingest_service_pb2, job_service_pb2, search_service_pb2
from acervo.rag.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    IngestServiceStub,
    add_IngestServiceServicer_to_server,
)
from acervo.rag.v1.job_service_pb2_grpc import JobServiceServicer, JobServiceStub, add_JobServiceServicer_to_server
from acervo.rag.v1.search_service_pb2_grpc import (
    SearchServiceServicer,
    SearchServiceStub,
    add_SearchServiceServicer_to_server,
)
from serving import trace
from serving.errors import NotFound, Unavailable
from serving.interceptors import Around, Call, Checked, Context
from serving.layers import access_logged, errors_to_status, identified, valid_request
from serving.passing import PassingOn, methods_with_streamed_requests
from serving.server import bind, listen

JOB = "jobs/01890000-0000-7000-8000-000000000000"


class JobMissing(NotFound):
    """There is no such job."""

    reason = "JOB_NOT_FOUND"


class Jobs(JobServiceServicer):
    """Fails in the ways that a service can fail."""

    async def GetJob(self, request: job_service_pb2.GetJobRequest, _context: Context) -> job_service_pb2.GetJobResponse:
        raise JobMissing(name=request.name)

    async def JobStatus(
        self, request: job_service_pb2.JobStatusRequest, _context: Context
    ) -> AsyncGenerator[job_service_pb2.JobStatusResponse]:
        yield job_service_pb2.JobStatusResponse()
        if request.after_revision:
            await asyncio.Event().wait()
        raise Unavailable(retry_after_s=2.5)


class Search(SearchServiceServicer):
    """Answers with the request's id, or breaks."""

    async def Search(
        self, request: search_service_pb2.SearchRequest, _context: Context
    ) -> search_service_pb2.SearchResponse:
        if request.query == "break":
            raise RuntimeError("a secret path /etc")
        return search_service_pb2.SearchResponse(
            hits=[search_service_pb2.SearchHit(document=trace.current().request_id, text=trace.current().trace_id)]
        )


class Ingest(IngestServiceServicer):
    """Counts the messages that came through the check."""

    async def Ingest(
        self, requests: AsyncIterator[ingest_service_pb2.IngestRequest], _context: Context
    ) -> ingest_service_pb2.IngestResponse:
        async for _request in requests:
            pass
        return ingest_service_pb2.IngestResponse()


@pytest.fixture
def ended() -> list[str]:
    return []


@pytest.fixture(params=["called", "passed on to"])
async def channel(ended: list[str], request: pytest.FixtureRequest) -> AsyncIterator[grpc.aio.Channel]:
    @asynccontextmanager
    async def watched(call: Call) -> AsyncIterator[None]:
        try:
            yield
        finally:
            ended.append(call.method)

    layers = [Around(identified), Around(access_logged), Around(watched), Around(errors_to_status)]
    server = bind("127.0.0.1:0", [*layers, Checked(valid_request)], ["acervo.rag.v1.JobService"])
    add_JobServiceServicer_to_server(Jobs(), server.grpc)  # type: ignore[abstract]  # what is left out is not called
    add_SearchServiceServicer_to_server(Search(), server.grpc)
    add_IngestServiceServicer_to_server(Ingest(), server.grpc)  # type: ignore[abstract]  # as above
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        if request.param == "called":
            yield channel
        else:
            async with _passed_on_to(channel) as outer:
                yield outer
    await server.stop(drain_s=0, grace_s=0)


@asynccontextmanager
async def _passed_on_to(channel: grpc.aio.Channel) -> AsyncIterator[grpc.aio.Channel]:
    server, port = listen("127.0.0.1:0", ())
    server.add_generic_rpc_handlers(
        (PassingOn(channel, methods_with_streamed_requests(["acervo.rag.v1.IngestService"])),)
    )
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as outer:
        yield outer
    await server.stop(0)


async def failure(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has what is read of a call
    found: dict[str, Any] = {}
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])
        found[kind.__name__] = message = kind()
        packed.Unpack(message)
    return found


async def test_a_domain_error_arrives_with_its_details(channel: grpc.aio.Channel) -> None:
    error = await failure(JobServiceStub(channel).GetJob(job_service_pb2.GetJobRequest(name=JOB)))
    told = details(error)
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.details() == "There is no such job."
    assert told["ErrorInfo"].reason == "JOB_NOT_FOUND"
    assert told["ResourceInfo"].resource_name == JOB


async def test_an_error_after_streamed_messages_keeps_its_details(channel: grpc.aio.Channel) -> None:
    stream = JobServiceStub(channel).JobStatus(job_service_pb2.JobStatusRequest(name=JOB))
    assert await stream.read() is not grpc.aio.EOF
    error = await failure(stream.read())
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert details(error)["RetryInfo"].retry_delay.ToMilliseconds() == 2500
    assert ("retry-after", "2") in tuple(error.trailing_metadata() or ())


async def test_an_unforeseen_error_is_hidden_from_the_client(channel: grpc.aio.Channel) -> None:
    call = SearchServiceStub(channel).Search(
        search_service_pb2.SearchRequest(query="break"), metadata=(("x-request-id", "abc"),)
    )
    error = await failure(call)
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in str(error)
    assert details(error)["RequestInfo"].request_id == "abc"


async def test_the_request_is_known_by_the_id_and_trace_of_its_caller(channel: grpc.aio.Channel) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    answer = await SearchServiceStub(channel).Search(
        search_service_pb2.SearchRequest(query="x"),
        metadata=(("x-request-id", "mine"), ("traceparent", traceparent)),
    )
    assert (answer.hits[0].document, answer.hits[0].text) == ("mine", "a" * 32)


async def test_a_request_that_breaks_a_rule_names_its_field(channel: grpc.aio.Channel) -> None:
    error = await failure(SearchServiceStub(channel).Search(search_service_pb2.SearchRequest(query="x", limit=-1)))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["BadRequest"].field_violations[0].field == "limit"


async def test_every_message_of_a_stream_is_checked(channel: grpc.aio.Channel) -> None:
    async def requests() -> AsyncIterator[ingest_service_pb2.IngestRequest]:
        yield ingest_service_pb2.IngestRequest(piece=b"x")
        yield ingest_service_pb2.IngestRequest()

    error = await failure(IngestServiceStub(channel).Ingest(requests()))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_layer_ends_when_the_client_leaves_a_stream(channel: grpc.aio.Channel, ended: list[str]) -> None:
    stream = JobServiceStub(channel).JobStatus(job_service_pb2.JobStatusRequest(name=JOB, after_revision=1))
    await stream.read()
    stream.cancel()
    async with asyncio.timeout(5):
        while not ended:
            await asyncio.sleep(0.01)
    assert ended == ["/acervo.rag.v1.JobService/JobStatus"]


async def test_a_stream_that_its_handler_writes_itself_goes_through_the_layers(
    channel: grpc.aio.Channel, ended: list[str]
) -> None:
    stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]  # the stubs lack it
    async with asyncio.timeout(5):
        answer = await stream.read()
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        stream.cancel()
        while not ended:
            await asyncio.sleep(0.01)
    assert ended == ["/grpc.health.v1.Health/Watch"]
