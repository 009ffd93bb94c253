"""Native gRPC and gRPC-Web on the same port as REST."""

import base64
import hashlib
import struct
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest
import pytest_asyncio
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2

from acervo.rag.v1 import (
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)
from tests.envoy.conftest import MAX_UPLOAD_BYTES, Edge
from tests.envoy.recording_gateway import JOB, LOST, RecordingGateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIECE = 256 * 1024
RawCall = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
SEARCH = "/acervo.rag.v1.SearchService/Search"


@pytest_asyncio.fixture(loop_scope="session")
async def channel(edge: Edge) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(edge.address) as channel:
        yield channel


async def test_a_unary_call_and_a_stream_pass(channel: grpc.aio.Channel) -> None:
    stub = job_service_pb2_grpc.JobServiceStub(channel)
    answer = await stub.GetJob(job_service_pb2.GetJobRequest(name=JOB), timeout=20)
    snapshots = [
        message.job.revision async for message in stub.JobStatus(job_service_pb2.JobStatusRequest(name=JOB), timeout=20)
    ]
    assert answer.job.name == JOB
    assert snapshots == [1, 2]


async def test_a_deadline_of_the_client_stands_and_a_missing_one_is_set(
    channel: grpc.aio.Channel, gateway: RecordingGateway
) -> None:
    stub = job_service_pb2_grpc.JobServiceStub(channel)
    await stub.GetJob(job_service_pb2.GetJobRequest(name=JOB), timeout=20)
    assert 0 < float(gateway.calls["GetJob"].metadata["time-remaining"]) < 31  # grpc rounds up a little
    await stub.GetJob(job_service_pb2.GetJobRequest(name=JOB))
    assert 31 < float(gateway.calls["GetJob"].metadata["time-remaining"]) < 70


async def test_an_upload_of_the_allowed_size_passes(channel: grpc.aio.Channel, gateway: RecordingGateway) -> None:
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    answer = await stub.Ingest(upload(MAX_UPLOAD_BYTES), timeout=60)
    pieces = [request.piece for request in gateway.calls["Ingest"].requests]
    assert answer.job.name == JOB
    assert hashlib.sha256(b"".join(pieces)).digest() == hashlib.sha256(b"x" * MAX_UPLOAD_BYTES).digest()


async def test_errors_of_the_gateway_keep_their_details(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await job_service_pb2_grpc.JobServiceStub(channel).GetJob(job_service_pb2.GetJobRequest(name=LOST), timeout=20)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert info_of(failed.value).reason == "JOB_NOT_FOUND"


async def test_a_gateway_that_is_not_there_is_unavailable_with_reason_and_delay(lonely_edge: Edge) -> None:
    async with grpc.aio.insecure_channel(lonely_edge.address) as channel:
        stub = search_service_pb2_grpc.SearchServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Search(search_service_pb2.SearchRequest(query="x"), timeout=20)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "{" not in (failed.value.details() or "")
    assert (info_of(failed.value).reason, info_of(failed.value).domain) == ("NOT_READY", "acervo")
    retry = RetryInfo()
    assert status_of(failed.value).details[1].Unpack(retry)
    assert retry.retry_delay.seconds == 1


async def test_health_and_unknown_services_are_the_gateways_to_answer(channel: grpc.aio.Channel) -> None:
    check: RawCall = channel.unary_unary("/grpc.health.v1.Health/Check")
    answer = health_pb2.HealthCheckResponse.FromString(await check(b"", timeout=20))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    guess: RawCall = channel.unary_unary("/acervo.rag.v1.SearchService/Guess")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await guess(b"", timeout=20)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_grpc_web_call_is_answered_in_frames(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    response = await client.post(SEARCH, content=search_frame("ação"), headers=headers)
    assert response.headers["content-type"] == "application/grpc-web+proto"
    assert_found("ação", response.content)


async def test_a_grpc_web_call_in_text_is_answered_in_text(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/grpc-web-text", "accept": "application/grpc-web-text"}
    response = await client.post(SEARCH, content=base64.b64encode(search_frame("ação")), headers=headers)
    assert response.headers["content-type"].startswith("application/grpc-web-text")
    assert_found("ação", from_text(response.text))


async def test_an_error_over_grpc_web_has_its_status(client: httpx.AsyncClient) -> None:
    request = job_service_pb2.GetJobRequest(name=LOST).SerializeToString()
    response = await client.post(
        "/acervo.rag.v1.JobService/GetJob",
        content=framed(request),
        headers={"content-type": "application/grpc-web+proto"},
    )
    assert response.headers["grpc-status"] == "5"
    assert response.headers["grpc-message"] == "There is no such job."


async def upload(size_bytes: int) -> AsyncIterator[ingest_service_pb2.IngestRequest]:
    yield ingest_service_pb2.IngestRequest(header=ingest_service_pb2.IngestHeader(file_name="grande.bin"))
    for _ in range(size_bytes // PIECE):
        yield ingest_service_pb2.IngestRequest(piece=b"x" * PIECE)
    yield ingest_service_pb2.IngestRequest(end=ingest_service_pb2.IngestEnd(size_bytes=size_bytes))


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    status = status_pb2.Status.FromString(packed)
    assert status.code == error.code().value[0]
    return status


def info_of(error: grpc.aio.AioRpcError) -> ErrorInfo:
    info = ErrorInfo()
    assert status_of(error).details[0].Unpack(info)
    return info


def search_frame(query: str) -> bytes:
    return framed(search_service_pb2.SearchRequest(query=query).SerializeToString())


def framed(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


def from_text(text: str) -> bytes:
    """The bytes of a text whose frames were each encoded on their own, so that padding may stand in the middle."""
    return b"".join(base64.b64decode(text[place : place + 4]) for place in range(0, len(text), 4))


def assert_found(text: str, frames: bytes) -> None:
    _, length = struct.unpack(">BI", frames[:5])
    answer = search_service_pb2.SearchResponse.FromString(frames[5 : 5 + length])
    trailers = frames[5 + length :]
    assert [hit.text for hit in answer.hits] == [text]
    assert trailers[0] == 0x80
    assert b"grpc-status:0" in trailers
