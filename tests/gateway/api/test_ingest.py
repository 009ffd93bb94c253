"""Uploads over gRPC."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import ingest_service_pb2 as pb
from acervo.rag.v1 import job_pb2
from tests.gateway.world import World, a_world, eventually, header, parts, refused, sha256


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


def begin(key: str, **fields: str | int) -> pb.BeginIngestRequest:
    return pb.BeginIngestRequest(header=pb.IngestHeader(document_key=key, file_name=key, **fields))  # type: ignore[arg-type]  # of the types of the fields


async def test_a_stream_with_its_end_is_accepted(world: World) -> None:
    data = b"0123456789" * 60_000
    response = await world.ingest.Ingest(parts("a.txt", data))
    assert response.job.state == job_pb2.JOB_STATE_QUEUED
    assert (response.job.revision, response.job.size_bytes) == (0, 600_000)
    assert world.blobs() == [sha256(data)]
    await eventually(lambda: len(world.rag_server.jobs) == 1)


async def test_a_stream_without_its_end_leaves_nothing_behind(world: World) -> None:
    requests = list(parts("a.txt", b"hello"))[:-1]
    assert await refused(world.ingest.Ingest(iter(requests))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "UPLOAD_INCOMPLETE",
    )
    assert (world.blobs(), world.incoming()) == ([], [])


async def test_an_end_with_another_hash_leaves_nothing_behind(world: World) -> None:
    end = pb.IngestRequest(end=pb.IngestEnd(size_bytes=5, sha256=sha256(b"other")))
    call = world.ingest.Ingest(iter([header("a"), pb.IngestRequest(piece=b"hello"), end]))
    assert await refused(call) == (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_MISMATCH")
    assert (world.blobs(), world.incoming()) == ([], [])


@pytest.mark.parametrize(
    "header_fields",
    [{"job": "jobs/01a1fea9-1e3a-7718-8ce3-c6371a919473"}, {"blob": pb.BlobReference(sha256="0" * 64, size_bytes=1)}],
)
async def test_what_only_a_gateway_may_say_is_refused(world: World, header_fields: dict[str, object]) -> None:
    first = pb.IngestRequest(header=pb.IngestHeader(document_key="a", **header_fields))  # type: ignore[arg-type]  # of the types of the fields
    assert await refused(world.ingest.Ingest(iter([first]))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )


async def test_a_piece_that_is_too_large_is_refused(world: World) -> None:
    requests = [header("a"), pb.IngestRequest(piece=b"x" * 262_145)]
    assert await refused(world.ingest.Ingest(iter(requests))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    assert (world.blobs(), world.incoming()) == ([], [])


async def test_admission_says_how_large_a_file_may_be(world: World) -> None:
    response = await world.ingest.BeginIngest(begin("a", declared_size_bytes=10_000_000))
    assert (response.max_size_bytes, response.max_piece_bytes) == (10_000_000, 262_144)
    assert not response.HasField("existing_job")
    call = world.ingest.BeginIngest(begin("a", declared_size_bytes=10_000_001))
    assert await refused(call) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "UPLOAD_TOO_LARGE")


async def test_admission_finds_a_document_that_stands_unchanged(world: World) -> None:
    world.rag_server.unchanged = job_pb2.Job(name="jobs/known", outcome=job_pb2.INGEST_OUTCOME_UNCHANGED)
    response = await world.ingest.BeginIngest(begin("a"))
    assert response.existing_job.name == "jobs/known"


async def test_admission_works_without_the_rag_server(world: World) -> None:
    await world.rag_server.stop()
    response = await world.ingest.BeginIngest(begin("a"), timeout=5)
    assert response.max_size_bytes == 10_000_000


async def test_admission_does_not_ask_the_rag_server_about_a_document_that_waits_here(world: World) -> None:
    world.rag_server.unchanged = job_pb2.Job(name="jobs/known")
    await world.rag_server.stop()
    await world.ingest.Ingest(parts("a.txt", b"newer"))
    world.rag_server.refuse_key = "nothing"
    response = await world.ingest.BeginIngest(begin("a.txt"))
    assert not response.HasField("existing_job")


async def test_admission_answers_a_request_id_with_its_job(world: World) -> None:
    accepted = await world.ingest.Ingest(parts("a", b"hello", request_id="mine"))
    response = await world.ingest.BeginIngest(begin("a", request_id="mine", declared_sha256=sha256(b"hello")))
    assert response.existing_job.name == accepted.job.name
    call = world.ingest.BeginIngest(begin("b", request_id="mine"))
    assert await refused(call) == (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_ID_REUSED")
