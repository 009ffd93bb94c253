"""Uploads over HTTP, as the edge passes them on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from acervo.gateway.v1 import upload_service_pb2
from acervo.rag.v1 import job_pb2
from tests.gateway.world import World, a_world, eventually, form, pieces, refused, sha256


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def test_a_raw_body_is_kept_under_its_hash_and_its_job_reaches_the_rag_server(world: World) -> None:
    response = await world.upload(b"hello", name="folder/a.txt", collection="notes", metadata='{"a": 1}')

    assert response.status == "QUEUED"
    assert response.files[0].job.name == f"jobs/{response.job_id}"
    assert world.blobs() == [sha256(b"hello")]
    await eventually(lambda: len(world.rag_server.taken) == 1)
    header = world.rag_server.taken[0]
    assert (header.job, header.collection, header.document_key) == (
        f"jobs/{response.job_id}",
        "notes",
        "folder/a.txt",
    )
    assert (header.blob.sha256, header.blob.size_bytes) == (sha256(b"hello"), 5)
    assert header.metadata["a"] == 1.0


async def test_the_answer_names_the_http_status_and_where_the_job_is(world: World) -> None:
    first = upload_service_pb2.UploadRequest(body=HttpBody(data=b"x"), file_name="x")
    call = world.uploads.Upload(iter([first]), metadata=(("x-body-length", "1"),))
    response = await call
    metadata = dict(await call.initial_metadata())
    assert metadata["x-http-code"] == "202"
    assert metadata["location"] == f"/api/v1/rag/jobs/{response.job_id}"


async def test_the_trace_of_the_request_goes_with_the_reference(world: World) -> None:
    first = upload_service_pb2.UploadRequest(body=HttpBody(data=b"x"), file_name="x")
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    metadata = (
        ("x-body-length", "1"),
        ("x-request-id", "the-request"),
        ("traceparent", f"00-{trace_id}-b7ad6b7169203331-01"),
    )
    await world.uploads.Upload(iter([first]), metadata=metadata)
    await eventually(lambda: len(world.rag_server.metadata) == 1)
    told = world.rag_server.metadata[0]
    assert told["x-request-id"] == "the-request"
    assert told["traceparent"].split("-")[1] == trace_id


async def test_a_raw_body_without_length_or_hash_is_refused(world: World) -> None:
    first = upload_service_pb2.UploadRequest(body=HttpBody(data=b"hello"), file_name="a")
    assert await refused(world.uploads.Upload(iter([first]))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )


async def test_a_raw_body_shorter_than_announced_leaves_nothing_behind(world: World) -> None:
    first = upload_service_pb2.UploadRequest(body=HttpBody(data=b"hel"), file_name="a")
    call = world.uploads.Upload(iter([first]), metadata=(("x-body-length", "5"),))
    assert await refused(call) == (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_INCOMPLETE")
    assert (world.blobs(), world.incoming()) == ([], [])


async def test_a_raw_body_with_another_hash_leaves_nothing_behind(world: World) -> None:
    call = world.upload(b"hello", sha256=sha256(b"other"))
    assert await refused(call) == (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_MISMATCH")
    assert (world.blobs(), world.incoming()) == ([], [])


async def test_a_client_that_vanishes_in_the_middle_leaves_nothing_behind(world: World) -> None:
    begun = asyncio.Event()

    async def half() -> AsyncIterator[upload_service_pb2.UploadRequest]:
        yield upload_service_pb2.UploadRequest(body=HttpBody(data=b"x" * 2_000_000), file_name="a")
        begun.set()
        await asyncio.Event().wait()

    call = world.uploads.Upload(half(), metadata=(("x-body-length", "4000000"),))
    await begun.wait()
    await eventually(lambda: len(world.incoming()) == 1)
    call.cancel()
    await eventually(lambda: world.incoming() == [])
    assert (world.blobs(), world.rag_server.taken) == ([], [])


async def test_a_file_that_is_announced_too_large_is_refused_before_its_bytes(world: World) -> None:
    first = upload_service_pb2.UploadRequest(body=HttpBody(data=b"x"), file_name="a")
    call = world.uploads.Upload(iter([first]), metadata=(("x-body-length", "10000001"),))
    assert await refused(call) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "UPLOAD_TOO_LARGE")


async def test_a_file_that_grows_too_large_is_refused_on_its_way(world: World) -> None:
    data = b"x" * 11_000_000
    cuts = [data[start : start + 1_000_000] for start in range(0, len(data), 1_000_000)]
    requests = [upload_service_pb2.UploadRequest(body=HttpBody(data=cut), sha256=sha256(data)) for cut in cuts]
    requests[0].file_name = "a"
    call = world.uploads.Upload(iter(requests))
    assert await refused(call) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "UPLOAD_TOO_LARGE")
    assert (world.blobs(), world.incoming()) == ([], [])


async def test_a_form_of_several_files_makes_a_job_of_each(world: World) -> None:
    body = form(
        ("collection", None, b"notes"),
        ("document_key", None, b"first"),
        ("file", "a.txt", b"aaa"),
        ("file", "ç/b.txt", b"bbb"),
    )
    response = await world.uploads.Upload(pieces(body, size=7, collection="default"))

    assert [(file.file_name, file.job.document_key) for file in response.files] == [
        ("a.txt", "first"),
        ("ç/b.txt", "ç/b.txt"),
    ]
    assert {file.job.collection for file in response.files} == {"collections/notes"}
    assert world.blobs() == sorted([sha256(b"aaa"), sha256(b"bbb")])
    await eventually(lambda: len(world.rag_server.taken) == 2)


async def test_a_field_behind_the_files_is_refused_since_it_would_have_no_effect(world: World) -> None:
    call = world.uploads.Upload(pieces(form(("f", "a.txt", b"a"), ("collection", None, b"notes"))))
    assert await refused(call) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert (world.blobs(), world.incoming()) == ([], [])


async def test_each_file_of_a_form_has_its_own_outcome(world: World) -> None:
    body = form(("f", "..", b"nameless"), ("f", "big", b"x" * 10_000_001), ("f", "good.txt", b"good"))
    response = await world.uploads.Upload(pieces(body))
    outcomes = [file.error.code for file in response.files]
    assert outcomes == [grpc.StatusCode.INVALID_ARGUMENT.value[0], grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], 0]
    assert response.job_id == response.files[2].job.name.removeprefix("jobs/")
    assert world.blobs() == [sha256(b"good")]
    assert world.incoming() == []


async def test_a_form_without_its_closing_boundary_leaves_nothing_behind(world: World) -> None:
    body = form(("f", "a.txt", b"a" * 3_000_000), ("f", "b.txt", b"b"), close=False)
    call = world.uploads.Upload(pieces(body))
    assert await refused(call) == (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_INCOMPLETE")
    assert (world.blobs(), world.incoming()) == ([], [])


@pytest.mark.parametrize(
    "body",
    [
        form(("colection", None, b"x"), ("f", "a.txt", b"a")),  # a misspelled field
        form(("metadata", None, b"[1]"), ("f", "a.txt", b"a")),
        form(("metadata", None, b'{"a": NaN}'), ("f", "a.txt", b"a")),
        form(("priority", None, b"10"), ("f", "a.txt", b"a")),
        form(("collection", None, b"Not A Name"), ("f", "a.txt", b"a")),
        form(("collection", None, b"x")),  # no file
        form(*[("tags", None, b"t")] * 101),
        form(("metadata", None, b"x" * 65_537), ("f", "a.txt", b"a")),
        b"--other\r\n\r\n",
    ],
)
async def test_a_form_that_is_wrong_is_refused(world: World, body: bytes) -> None:
    assert await refused(world.uploads.Upload(pieces(body))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    assert (world.blobs(), world.incoming()) == ([], [])


async def test_the_same_request_id_answers_with_the_same_job(world: World) -> None:
    first = await world.upload(b"hello", request_id="mine")
    await eventually(lambda: first.job_id in world.rag_server.jobs)
    world.rag_server.move(first.job_id, job_pb2.JOB_STATE_SUCCEEDED)

    async def replayed() -> bool:
        again = await world.upload(b"hello", request_id="mine")
        assert again.job_id == first.job_id
        return again.status == "SUCCEEDED"

    await eventually(replayed)
    assert len(world.rag_server.taken) == 1


async def test_the_header_of_idempotency_is_the_request_id(world: World) -> None:
    first = upload_service_pb2.UploadRequest(body=HttpBody(data=b"x"), file_name="x")
    metadata = (("x-body-length", "1"), ("idempotency-key", '"mine"'))
    one = await world.uploads.Upload(iter([first]), metadata=metadata)
    two = await world.uploads.Upload(iter([first]), metadata=metadata)
    assert one.job_id == two.job_id
    assert one.files[0].job.request_id == "mine"


async def test_a_request_id_for_other_bytes_is_refused(world: World) -> None:
    await world.upload(b"hello", request_id="mine")
    call = world.upload(b"other", request_id="mine")
    assert await refused(call) == (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_ID_REUSED")


async def test_several_files_share_a_request_id_by_their_numbers(world: World) -> None:
    body = form(("f", "a.txt", b"a"), ("f", "b.txt", b"b"))
    one = await world.uploads.Upload(pieces(body, request_id="mine"))
    two = await world.uploads.Upload(pieces(body, request_id="mine"))
    assert [file.job.request_id for file in one.files] == ["mine:1", "mine:2"]
    assert [file.job.name for file in one.files] == [file.job.name for file in two.files]
