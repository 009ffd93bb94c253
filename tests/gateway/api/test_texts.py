"""Texts of one call, as one job."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from acervo.gateway.v1 import text_service_pb2 as pb
from acervo.rag.v1 import job_pb2
from tests.gateway.world import World, a_world, eventually, refused


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


def asked(*keys: str, text: str = "words", **more: str) -> pb.UpsertTextsRequest:
    return pb.UpsertTextsRequest(texts=[pb.Text(key=key, text=text) for key in keys], **more)  # type: ignore[arg-type]  # all fields in use are texts


async def test_texts_become_one_blob_and_one_job_of_their_kind(world: World) -> None:
    request = asked("a", "b", collection="notes", request_id="once")
    request.texts[0].metadata.update({"year": 2024})
    request.texts[0].tags.append("x")
    call = world.texts.UpsertTexts(request)
    response = await call
    metadata = dict(await call.initial_metadata())
    assert (metadata["x-http-code"], metadata["location"]) == ("202", f"/api/v1/rag/jobs/{response.job_id}")
    assert (response.status, response.job.kind) == ("QUEUED", job_pb2.JOB_KIND_TEXTS)
    assert response.job.HasField("documents")
    await eventually(lambda: len(world.rag_server.taken) == 1)
    header = world.rag_server.taken[0]
    assert (header.kind, header.collection, header.document_key) == (job_pb2.JOB_KIND_TEXTS, "notes", "")
    (blob,) = world.blobs()
    assert header.blob.sha256 == blob
    lines = (world.folder / "blobs" / blob[:2] / blob).read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["a", "b"]
    assert json.loads(lines[0])["metadata"] == {"year": 2024}


async def test_the_same_request_id_answers_with_the_same_job(world: World) -> None:
    first = await world.texts.UpsertTexts(asked("a", request_id="mine"))
    header = (("idempotency-key", "mine"),)
    assert (await world.texts.UpsertTexts(asked("a"), metadata=header)).job_id == first.job_id
    other = world.texts.UpsertTexts(asked("b", request_id="mine"))
    assert await refused(other) == (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_ID_REUSED")


@pytest.mark.parametrize(
    "request_",
    [
        pb.UpsertTextsRequest(),
        asked("a", "a"),
        asked(""),
        pb.UpsertTextsRequest(texts=[pb.Text(key="a", text="x", media_type="application/pdf")]),
        asked(*map(str, range(1001))),
    ],
)
async def test_what_cannot_be_taken_is_refused_and_leaves_nothing(
    world: World, request_: pb.UpsertTextsRequest
) -> None:
    assert await refused(world.texts.UpsertTexts(request_)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert world.blobs() == world.incoming() == []


async def test_texts_of_many_megabytes_come_through(world: World) -> None:
    response = await world.texts.UpsertTexts(asked(*"abcd", text="x" * 2_000_000))
    assert response.job.size_bytes > 8_000_000
