"""What documents hold, over gRPC."""

import hashlib

import grpc
import pytest

from acervo.rag.v1 import content_service_pb2 as pb
from acervo.rag.v1 import content_service_pb2_grpc
from rag_server.use_cases.fetching import PIECE_BYTES
from tests.gateway.world import refused
from tests.rag_server.api.conftest import Served

WORDS = "zero one two three four"


async def uploaded(served: Served, content: str = WORDS, name: str = "a.txt") -> str:
    """The document's name."""
    job = (await served.upload(content.encode(), name)).job
    await served.work_off(content)
    stored = await served.store.jobs.get(job.name.removeprefix("jobs/"))
    return f"documents/{stored.document_id}"


@pytest.fixture
def contents(served: Served) -> "content_service_pb2_grpc.ContentServiceAsyncStub":
    return content_service_pb2_grpc.ContentServiceStub(served.channel)


async def test_chunks_come_in_pages(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    name = await uploaded(served)
    first = await contents.ListChunks(pb.ListChunksRequest(parent=name, page_size=3))
    asked = pb.ListChunksRequest(parent=name, page_size=3, page_token=first.next_page_token)
    rest = await contents.ListChunks(asked)
    assert [chunk.text for chunk in [*first.chunks, *rest.chunks]] == WORDS.split()
    assert [chunk.ordinal for chunk in rest.chunks] == [3, 4]
    assert (first.version, rest.next_page_token) == (1, "")


async def test_a_citation_comes_with_its_neighbours_and_is_the_text_at_its_place(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    name = await uploaded(served)
    asked = pb.ListChunksRequest(parent=name, version=1, char_start=9, char_end=12, before=1, after=1)
    chunks = (await contents.ListChunks(asked)).chunks
    assert [chunk.text for chunk in chunks] == ["one", "two", "three"]
    for chunk in chunks:
        place = pb.GetDocumentTextRequest(name=name, char_start=chunk.char_start, char_end=chunk.char_end)
        answer = await contents.GetDocumentText(place)
        assert (answer.text, answer.char_start, answer.char_end) == (chunk.text, chunk.char_start, chunk.char_end)


async def test_the_text_says_where_it_ends_and_on_which_pages_it_stands(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    name = await uploaded(served)
    answer = await contents.GetDocumentText(pb.GetDocumentTextRequest(name=name, char_start=5))
    assert (answer.text, answer.char_end, answer.char_count, answer.version) == (WORDS[5:], 23, 23, 1)
    assert [(page.page, page.char_start, page.char_end) for page in answer.pages] == [(1, 5, 23)]
    behind = await contents.GetDocumentText(pb.GetDocumentTextRequest(name=name, char_start=99))
    assert (behind.text, behind.char_start, behind.char_end) == ("", 23, 23)


async def test_too_much_text_at_once_is_refused(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    name = await uploaded(served)
    for start, end in ((0, 200_001), (5, 4)):
        asked = pb.GetDocumentTextRequest(name=name, char_start=start, char_end=end)
        told = await refused(contents.GetDocumentText(asked))
        assert told == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_a_version_that_is_gone_is_not_answered_with_other_text(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    name = await uploaded(served)
    first = await contents.ListChunks(pb.ListChunksRequest(parent=name, page_size=1))
    await uploaded(served, "other words of it")
    for call in (
        contents.ListChunks(pb.ListChunksRequest(parent=name, version=1)),
        contents.ListChunks(pb.ListChunksRequest(parent=name, version=1, char_end=3)),
        contents.ListChunks(pb.ListChunksRequest(parent=name, page_token=first.next_page_token)),
        contents.GetDocumentText(pb.GetDocumentTextRequest(name=name, version=1)),
    ):
        assert await refused(call) == (grpc.StatusCode.NOT_FOUND, "VERSION_GONE")


async def test_versions_come_the_newest_first_in_pages(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    for content in ("one", "two", "three"):
        name = await uploaded(served, content)
    first = await contents.ListVersions(pb.ListVersionsRequest(parent=name, page_size=2))
    asked = pb.ListVersionsRequest(parent=name, page_size=2, page_token=first.next_page_token)
    rest = await contents.ListVersions(asked)
    assert [(one.version, one.current) for one in first.versions] == [(3, True), (2, False)]
    assert [(one.version, one.sha256) for one in rest.versions] == [(1, hashlib.sha256(b"one").hexdigest())]
    assert rest.next_page_token == ""


async def test_the_original_comes_in_pieces_with_what_it_is(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    content = "palavra " * (PIECE_BYTES // 4)
    name = await uploaded(served, content.strip(), "relatório.txt")
    pieces = [piece async for piece in contents.DownloadDocument(pb.DownloadDocumentRequest(name=name))]
    whole = b"".join(piece.body.data for piece in pieces)
    assert whole == content.strip().encode()
    assert max(len(piece.body.data) for piece in pieces) == PIECE_BYTES
    first = pieces[0]
    assert (first.file_name, first.size_bytes) == ("relatório.txt", len(whole))
    assert (first.sha256, first.body.content_type) == (hashlib.sha256(whole).hexdigest(), "text/plain")


async def test_an_original_that_is_not_kept_is_said_to_be_missing(
    served: Served, contents: "content_service_pb2_grpc.ContentServiceAsyncStub"
) -> None:
    name = await uploaded(served)
    for path in served.blobs.files():
        path.unlink()

    async def download() -> None:
        async for _ in contents.DownloadDocument(pb.DownloadDocumentRequest(name=name)):
            pass

    assert await refused(download()) == (grpc.StatusCode.NOT_FOUND, "BLOB_NOT_FOUND")
