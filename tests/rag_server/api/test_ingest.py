"""Uploads are kept only when they are whole, and answered with their job."""

from collections.abc import AsyncIterator, Awaitable

import grpc
import pytest

from acervo.rag.v1 import ingest_service_pb2 as pb
from acervo.rag.v1 import job_pb2
from tests.rag_server.api.conftest import MAX_UPLOAD_BYTES, Served, messages

SHA256_OF_ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


def nothing_kept(served: Served) -> bool:
    return not list(served.blobs.files()) and not served.blobs.incoming()


async def refused(call: Awaitable[object]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code()


async def test_a_whole_upload_is_stored_and_queued(served: Served) -> None:
    content = b"x" * 250_000
    job = (await served.upload(content)).job
    assert (job.state, job.size_bytes, job.document_key) == (job_pb2.JOB_STATE_QUEUED, 250_000, "a.txt")
    assert served.blobs.path(job.sha256).read_bytes() == content


async def test_a_stream_that_ends_without_its_end_message_leaves_nothing(served: Served) -> None:
    code = await refused(served.ingest.Ingest(messages(b"one", "a.txt", end=False)))
    assert (code, nothing_kept(served)) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_bytes_other_than_announced_leave_nothing(served: Served) -> None:
    async def lying() -> AsyncIterator[pb.IngestRequest]:
        yield pb.IngestRequest(header=pb.IngestHeader(file_name="a.txt"))
        yield pb.IngestRequest(piece=b"two")
        yield pb.IngestRequest(end=pb.IngestEnd(size_bytes=3, sha256=SHA256_OF_ONE))

    code = await refused(served.ingest.Ingest(lying()))
    assert (code, nothing_kept(served)) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_an_upload_that_grows_past_the_limit_leaves_nothing(served: Served) -> None:
    code = await refused(served.upload(b"x" * (MAX_UPLOAD_BYTES + 1)))
    assert (code, nothing_kept(served)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


async def test_a_document_needs_a_name(served: Served) -> None:
    assert await refused(served.upload(b"one", file_name="")) == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_reference_needs_its_bytes(served: Served) -> None:
    async def reference() -> AsyncIterator[pb.IngestRequest]:
        blob = pb.BlobReference(sha256=SHA256_OF_ONE, size_bytes=3)
        yield pb.IngestRequest(header=pb.IngestHeader(file_name="a.txt", blob=blob))
        yield pb.IngestRequest(end=pb.IngestEnd(size_bytes=3, sha256=SHA256_OF_ONE))

    assert await refused(served.ingest.Ingest(reference())) == grpc.StatusCode.NOT_FOUND
    async with served.blobs.begin() as upload:
        await upload.write(b"one")
        await upload.finish()
    assert (await served.ingest.Ingest(reference())).job.sha256 == SHA256_OF_ONE


async def test_the_same_request_id_answers_with_the_same_job(served: Served) -> None:
    first = await served.upload(b"one", request_id="r-1")
    again = await served.upload(b"one", request_id="r-1")
    assert first.job.name == again.job.name
    assert await refused(served.upload(b"two", request_id="r-1")) == grpc.StatusCode.FAILED_PRECONDITION


async def test_before_an_upload_one_hears_that_it_stands_unchanged(served: Served) -> None:
    await served.upload(b"one")
    await served.work_off("one")
    header = pb.IngestHeader(file_name="a.txt", declared_size_bytes=3, declared_sha256=SHA256_OF_ONE)
    answer = await served.ingest.BeginIngest(pb.BeginIngestRequest(header=header))
    assert answer.max_piece_bytes == 262_144
    assert answer.existing_job.outcome == job_pb2.INGEST_OUTCOME_UNCHANGED
    again = (await served.upload(b"one")).job
    assert (again.state, again.outcome) == (job_pb2.JOB_STATE_SUCCEEDED, job_pb2.INGEST_OUTCOME_UNCHANGED)


async def test_before_an_upload_one_hears_that_it_is_too_large(served: Served) -> None:
    header = pb.IngestHeader(file_name="a.txt", declared_size_bytes=MAX_UPLOAD_BYTES + 1)
    code = await refused(served.ingest.BeginIngest(pb.BeginIngestRequest(header=header)))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
