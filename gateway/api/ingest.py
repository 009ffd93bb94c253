"""IngestService: takes documents in over gRPC."""

from collections.abc import AsyncIterator

import grpc

from acervo.rag.v1 import ingest_service_pb2 as pb
from acervo.rag.v1 import job_pb2
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceServicer
from gateway.api import translate
from gateway.api.accepting import LOOK_S, Accepting
from gateway.api.rag_server import RagServer, allowed_s
from gateway.domain.errors import RagServerUnavailable, UploadIncomplete
from gateway.domain.upload import Announced, Upload
from gateway.ports import OutboxWork
from gateway.use_cases.taking_in import Receiving, TakingIn
from serving.errors import InvalidInput
from serving.interceptors import Context
from storage.blobs import Blob

MAX_PIECE_BYTES = 262_144
FILES = frozenset({job_pb2.JOB_KIND_UNSPECIFIED, job_pb2.JOB_KIND_INGEST})
PASSING = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class IngestApi(IngestServiceServicer):
    """Serves uploads."""

    def __init__(self, taking_in: TakingIn, accepting: Accepting, work: OutboxWork, rag_server: RagServer) -> None:
        self._taking_in = taking_in
        self._accepting = accepting
        self._work = work
        self._rag_server = rag_server

    async def BeginIngest(self, request: pb.BeginIngestRequest, context: Context) -> pb.BeginIngestResponse:
        upload = translate.upload_of_header(_outsiders(request.header))
        self._taking_in.admit(request.header.declared_size_bytes)
        existing = await self._existing(upload, request, allowed_s(context, LOOK_S))
        return pb.BeginIngestResponse(
            existing_job=existing,
            max_size_bytes=self._taking_in.capacity.max_upload_bytes,
            max_piece_bytes=MAX_PIECE_BYTES,
        )

    async def Ingest(self, requests: AsyncIterator[pb.IngestRequest], _context: Context) -> pb.IngestResponse:
        header = _outsiders(await _header(requests))
        upload = translate.upload_of_header(header)
        self._taking_in.admit(header.declared_size_bytes)
        async with self._taking_in.begin() as receiving:
            blob = await _receive(receiving, header, requests)
        return pb.IngestResponse(job=await self._accepting.accept(upload, blob))

    async def _existing(self, upload: Upload, request: pb.BeginIngestRequest, timeout_s: float) -> job_pb2.Job | None:
        """The job that stands for the upload already; not known where the rag_server cannot be asked."""
        entry = await self._taking_in.known(upload, request.header.declared_sha256)
        if entry is not None:
            return await self._accepting.told(entry)
        if await self._work.has_open(upload.collection, upload.document_key):
            return None  # what waits here will change what the rag_server knows of the document
        asked = pb.BeginIngestRequest()
        asked.CopyFrom(request)
        asked.header.document_key, asked.header.file_name = upload.document_key, upload.file_name
        try:
            response = await self._rag_server.ask(self._rag_server.ingest.BeginIngest, asked, timeout_s)
        except RagServerUnavailable:
            return None
        except grpc.aio.AioRpcError as error:
            if error.code() in PASSING:
                return None
            raise
        return response.existing_job if response.HasField("existing_job") else None


async def _receive(receiving: Receiving, header: pb.IngestHeader, parts: AsyncIterator[pb.IngestRequest]) -> Blob:
    """Write the pieces; the bytes get a name only after the end message has confirmed them."""
    async for request in parts:
        if request.WhichOneof("part") == "end":
            await receiving.check(_declared(header))
            return await receiving.finish(Announced(request.end.size_bytes, request.end.sha256))
        if request.WhichOneof("part") != "piece":
            raise InvalidInput("After the header come pieces, then one end.", field="part")
        await receiving.write(request.piece)
    raise UploadIncomplete


def _declared(header: pb.IngestHeader) -> Announced:
    size_bytes = header.declared_size_bytes if header.HasField("declared_size_bytes") else None
    return Announced(size_bytes, header.declared_sha256)


def _outsiders(header: pb.IngestHeader) -> pb.IngestHeader:
    """The header, unless it says what only a gateway may say."""
    if header.HasField("blob"):
        raise InvalidInput("header.blob is for the gateway to set.", field="header.blob")
    if header.kind not in FILES:
        raise InvalidInput("header.kind is for the gateway to set.", field="header.kind")
    if header.job:
        raise InvalidInput("header.job is for the gateway to set.", field="header.job")
    return header


async def _header(requests: AsyncIterator[pb.IngestRequest]) -> pb.IngestHeader:
    async for request in requests:
        if request.WhichOneof("part") != "header":
            break
        return request.header
    raise InvalidInput("The first message must be a header.", field="header")
