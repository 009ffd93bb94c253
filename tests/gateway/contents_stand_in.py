"""The part of the small rag_server that holds what documents hold."""

from collections.abc import AsyncGenerator

from google.api.httpbody_pb2 import HttpBody

from acervo.rag.v1 import content_pb2
from acervo.rag.v1 import content_service_pb2 as pb
from acervo.rag.v1.content_service_pb2_grpc import ContentServiceServicer
from serving.errors import NotFound
from serving.interceptors import Context

MISSING = "documents/00000000-0000-7000-8000-000000000000"
ORIGINAL = (b"Artigo ", b"1")


class BlobNotFound(NotFound):
    """The bytes are gone."""

    reason = "BLOB_NOT_FOUND"


class ContentsStandIn(ContentServiceServicer):
    async def ListChunks(self, request: pb.ListChunksRequest, _context: Context) -> pb.ListChunksResponse:
        return pb.ListChunksResponse(chunks=[content_pb2.Chunk(text=request.parent)], version=2)

    async def GetDocumentText(
        self, request: pb.GetDocumentTextRequest, _context: Context
    ) -> pb.GetDocumentTextResponse:
        return pb.GetDocumentTextResponse(text=request.name, version=2)

    async def ListVersions(self, _request: pb.ListVersionsRequest, _context: Context) -> pb.ListVersionsResponse:
        return pb.ListVersionsResponse(versions=[content_pb2.DocumentVersion(version=2, current=True)])

    async def DownloadDocument(
        self, request: pb.DownloadDocumentRequest, _context: Context
    ) -> AsyncGenerator[pb.DownloadDocumentResponse]:
        if request.name == MISSING:
            raise BlobNotFound(name=request.name)
        first, last = ORIGINAL
        about = HttpBody(content_type="text/html", data=first)
        yield pb.DownloadDocumentResponse(body=about, file_name="leis/lei.html", size_bytes=8, sha256="a" * 64)
        yield pb.DownloadDocumentResponse(body=HttpBody(data=last))
