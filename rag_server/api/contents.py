"""ContentService: chunks, text, versions and originals of documents."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.api import httpbody_pb2

from acervo.rag.v1 import content_pb2
from acervo.rag.v1 import content_service_pb2 as pb
from acervo.rag.v1.content_service_pb2_grpc import ContentServiceServicer
from rag_server.api import translate
from rag_server.document_ports import Contents
from rag_server.domain.chunk import Chunk
from rag_server.domain.content import DocumentVersion, Place, TextPage
from rag_server.domain.document import Document
from rag_server.domain.errors import VersionGone
from rag_server.use_cases.fetching import Fetching
from serving import paging
from serving.errors import InvalidInput
from serving.interceptors import Context

MAX_TEXT_CHARS = 200_000


class ContentApi(ContentServiceServicer):
    """Serves what documents hold."""

    def __init__(self, contents: Contents, fetching: Fetching) -> None:
        self._contents = contents
        self._fetching = fetching

    async def ListChunks(self, request: pb.ListChunksRequest, _context: Context) -> pb.ListChunksResponse:
        collection, document_id = translate.document_ids(request.parent)
        if request.char_end:
            _check_range(request.char_start, request.char_end)
            place = Place(request.char_start, request.char_end, request.before, request.after)
            document, chunks = await self._contents.chunks_around(document_id, collection, place)
            _check_version(document, request.version)
            return pb.ListChunksResponse(chunks=map(_chunk, chunks[: paging.MAX_PAGE_SIZE]), version=document.version)
        position = paging.decode(request.page_token, "chunks", document_id)
        # The version that the page before was of: it must not change between two pages.
        version, first = (int(part) for part in position.split(" ")) if position else (request.version, 0)
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        document, chunks = await self._contents.chunks_from(document_id, collection, first, limit + 1)
        _check_version(document, version)
        more = ""
        if len(chunks) > limit:
            more = paging.encode(f"{document.version} {chunks[limit].ordinal}", "chunks", document_id)
        return pb.ListChunksResponse(chunks=map(_chunk, chunks[:limit]), next_page_token=more, version=document.version)

    async def GetDocumentText(
        self, request: pb.GetDocumentTextRequest, _context: Context
    ) -> pb.GetDocumentTextResponse:
        collection, document_id = translate.document_ids(request.name)
        start, end = request.char_start, request.char_end or request.char_start + MAX_TEXT_CHARS
        _check_range(start, end)
        if end - start > MAX_TEXT_CHARS:
            raise InvalidInput(f"A call returns at most {MAX_TEXT_CHARS} code points.", field="char_end")
        document, pages = await self._contents.text(document_id, collection, start, end)
        _check_version(document, request.version)
        text = "".join(page.text for page in pages)
        start = min(start, document.char_count)
        return pb.GetDocumentTextResponse(
            text=text,
            char_start=start,
            char_end=start + len(text),
            char_count=document.char_count,
            version=document.version,
            pages=map(_page, pages),
        )

    async def ListVersions(self, request: pb.ListVersionsRequest, _context: Context) -> pb.ListVersionsResponse:
        collection, document_id = translate.document_ids(request.parent)
        before = int(paging.decode(request.page_token, "versions", document_id) or 0)
        limit = request.page_size or paging.DEFAULT_PAGE_SIZE
        versions = await self._contents.versions(document_id, collection, before, limit + 1)
        more = paging.encode(str(versions[limit - 1].number), "versions", document_id) if len(versions) > limit else ""
        return pb.ListVersionsResponse(versions=map(_version, versions[:limit]), next_page_token=more)

    async def DownloadDocument(
        self, request: pb.DownloadDocumentRequest, _context: Context
    ) -> AsyncGenerator[pb.DownloadDocumentResponse]:
        collection, document_id = translate.document_ids(request.name)
        original = await self._fetching.original(document_id, collection)
        document = original.document
        message = pb.DownloadDocumentResponse(
            body=httpbody_pb2.HttpBody(content_type=document.media_type),
            file_name=document.file_name,
            size_bytes=document.size_bytes,
            sha256=document.sha256,
        )
        async with aclosing(original.pieces()) as pieces:
            async for piece in pieces:
                message.body.data = piece
                yield message
                message = pb.DownloadDocumentResponse(body=httpbody_pb2.HttpBody())


def _check_version(document: Document, wanted: int) -> None:
    """0 stands for the current one. Raises VersionGone."""
    if wanted not in {0, document.version}:
        name = translate.document_name(document.collection, document.document_id)
        raise VersionGone(name=name, asked=str(wanted), current=str(document.version))


def _check_range(start: int, end: int) -> None:
    if end < start:
        raise InvalidInput("char_end must not lie before char_start.", field="char_end")


def _chunk(value: Chunk) -> content_pb2.Chunk:
    return content_pb2.Chunk(
        ordinal=value.ordinal,
        text=value.text,
        char_start=value.char_start,
        char_end=value.char_end,
        page_first=value.page_first,
        page_last=value.page_last,
        headings=value.headings,
    )


def _page(value: TextPage) -> content_pb2.PageSpan:
    return content_pb2.PageSpan(
        page=value.number, char_start=value.char_start, char_end=value.char_start + len(value.text)
    )


def _version(value: DocumentVersion) -> content_pb2.DocumentVersion:
    return content_pb2.DocumentVersion(
        version=value.number,
        current=value.is_current,
        sha256=value.sha256,
        size_bytes=value.size_bytes,
        file_name=value.file_name,
        media_type=value.media_type,
        chunk_count=value.chunk_count,
        publish_time=translate.timestamp(value.publish_time),
        job=f"jobs/{value.job_id}",
    )
