"""ContentService: passed on; a download gets the headers that a browser needs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote

from acervo.rag.v1 import content_service_pb2 as pb
from acervo.rag.v1.content_service_pb2_grpc import ContentServiceServicer
from gateway.api.rag_server import RagServer, allowed_s
from serving.interceptors import Context

# What RFC 5987 lets stand as it is, besides letters and digits.
_PLAIN = "!#$&+-.^_`|~"
_SPECIAL = frozenset('"\\/;')


class ContentApi(ContentServiceServicer):
    """Serves what documents hold."""

    def __init__(self, rag_server: RagServer) -> None:
        self._rag_server = rag_server

    async def ListChunks(self, request: pb.ListChunksRequest, context: Context) -> pb.ListChunksResponse:
        stub = self._rag_server.contents
        return await self._rag_server.ask(stub.ListChunks, request, allowed_s(context), again=True)

    async def GetDocumentText(self, request: pb.GetDocumentTextRequest, context: Context) -> pb.GetDocumentTextResponse:
        stub = self._rag_server.contents
        return await self._rag_server.ask(stub.GetDocumentText, request, allowed_s(context), again=True)

    async def ListVersions(self, request: pb.ListVersionsRequest, context: Context) -> pb.ListVersionsResponse:
        stub = self._rag_server.contents
        return await self._rag_server.ask(stub.ListVersions, request, allowed_s(context), again=True)

    async def DownloadDocument(
        self, request: pb.DownloadDocumentRequest, context: Context
    ) -> AsyncGenerator[pb.DownloadDocumentResponse]:
        stub = self._rag_server.contents
        begun = False
        async with aclosing(self._rag_server.stream(stub.DownloadDocument, request, None)) as pieces:
            async for piece in pieces:
                if not begun:
                    # Not before there is something to send: until then an error still becomes an HTTP status.
                    await context.send_initial_metadata(_headers(piece))
                    begun = True
                yield piece


def _headers(first: pb.DownloadDocumentResponse) -> tuple[tuple[str, str], ...]:
    """Never shown in the page that asked: what a stranger uploaded is not this site's to run."""
    return (
        ("content-disposition", disposition(first.file_name)),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "private, no-cache"),
        ("etag", f'"{first.sha256}"'),
        ("x-content-sha256", first.sha256),
        ("x-content-bytes", str(first.size_bytes)),
    )


def disposition(file_name: str) -> str:
    """An attachment with that name, for old readers in ASCII and for all others in UTF-8 (RFC 6266, RFC 5987)."""
    name = file_name.rpartition("/")[2] or "document"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in _SPECIAL else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_PLAIN)}"
