"""What documents hold is passed on; a download comes as an attachment with a harmless name."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import content_service_pb2 as pb
from gateway.api.contents import disposition
from tests.gateway.contents_stand_in import MISSING, ORIGINAL
from tests.gateway.world import World, a_world, refused

NAME = "documents/01a1fec9-c940-73e6-a56f-56d8c94f9fcd"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def test_chunks_text_and_versions_are_passed_on(world: World) -> None:
    chunks = await world.contents.ListChunks(pb.ListChunksRequest(parent=NAME))
    text = await world.contents.GetDocumentText(pb.GetDocumentTextRequest(name=NAME))
    versions = await world.contents.ListVersions(pb.ListVersionsRequest(parent=NAME))
    assert (chunks.chunks[0].text, text.text, versions.versions[0].version) == (NAME, NAME, 2)


async def test_a_download_is_an_attachment_that_no_browser_runs(world: World) -> None:
    call = world.contents.DownloadDocument(pb.DownloadDocumentRequest(name=NAME))
    assert tuple([piece.body.data async for piece in call]) == ORIGINAL
    headers = dict(await call.initial_metadata())
    assert str(headers["content-disposition"]).startswith('attachment; filename="lei.html"')
    assert headers["x-content-type-options"] == "nosniff"
    assert (headers["x-content-sha256"], headers["x-content-bytes"]) == ("a" * 64, "8")


async def test_a_download_that_cannot_begin_is_an_error(world: World) -> None:
    async def download() -> None:
        async for _ in world.contents.DownloadDocument(pb.DownloadDocumentRequest(name=MISSING)):
            pass

    assert await refused(download()) == (grpc.StatusCode.NOT_FOUND, "BLOB_NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "plain", "encoded"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("folder/relatório final.pdf", "relat_rio final.pdf", "relat%C3%B3rio%20final.pdf"),
        ('a"b\\c;d.html', "a_b_c_d.html", "a%22b%5Cc%3Bd.html"),
        ("x\r\nset-cookie: a=b", "x__set-cookie: a=b", "x%0D%0Aset-cookie%3A%20a%3Db"),
        ("it's (1)*.txt", "it's (1)*.txt", "it%27s%20%281%29%2A.txt"),
        ("😀", "_", "%F0%9F%98%80"),
        ("", "document", "document"),
    ],
)
def test_an_attachment_is_named_for_old_and_for_new_readers(name: str, plain: str, encoded: str) -> None:
    assert disposition(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
