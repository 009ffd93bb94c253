"""IngestService: takes documents in, as bytes or as a reference to bytes that a gateway has stored."""

from collections.abc import AsyncIterator

import uuid_utils

from acervo.rag.v1 import ingest_service_pb2 as pb
from acervo.rag.v1 import job_pb2
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceServicer
from rag_server.api import translate
from rag_server.domain.errors import UploadIncomplete, UploadMismatch
from rag_server.domain.job import Job
from rag_server.ports import Blobs
from rag_server.use_cases.admitting import Admitting
from rag_server.use_cases.watching import Watching
from serving.errors import InvalidInput
from serving.interceptors import Context
from storage.blobs import Blob

MAX_PIECE_BYTES = 262_144


class IngestApi(IngestServiceServicer):
    """Serves uploads."""

    def __init__(self, admitting: Admitting, watching: Watching, blobs: Blobs) -> None:
        self._admitting = admitting
        self._watching = watching
        self._blobs = blobs

    async def BeginIngest(self, request: pb.BeginIngestRequest, _context: Context) -> pb.BeginIngestResponse:
        header = _checked(request.header)
        self._admitting.check_room(header.declared_size_bytes)
        new_id = str(uuid_utils.uuid7())
        order = translate.order(header, new_id, header.declared_sha256, header.declared_size_bytes)
        existing = await self._admitting.admit_known(order)
        response = pb.BeginIngestResponse(
            max_size_bytes=self._admitting.max_upload_bytes, max_piece_bytes=MAX_PIECE_BYTES
        )
        if existing is not None:
            response.existing_job.CopyFrom(await self._told(existing))
        return response

    async def Ingest(self, requests: AsyncIterator[pb.IngestRequest], _context: Context) -> pb.IngestResponse:
        header = _checked(await _header(requests))
        if header.HasField("blob"):
            blob = Blob(header.blob.sha256, header.blob.size_bytes)
            _hold_against(blob, await _end(requests))
        else:
            blob = await self._receive(header, requests)
        order = translate.order(header, str(uuid_utils.uuid7()), blob.sha256, blob.size_bytes)
        return pb.IngestResponse(job=await self._told(await self._admitting.admit(order)))

    async def _receive(self, header: pb.IngestHeader, requests: AsyncIterator[pb.IngestRequest]) -> Blob:
        """Write the pieces; the bytes get a name only after the end message has confirmed them."""
        self._admitting.check_room(header.declared_size_bytes)
        async with self._blobs.begin() as upload:
            async for request in requests:
                if request.WhichOneof("part") == "end":
                    _hold_against(Blob(upload.sha256(), upload.size_bytes), request.end)
                    return await upload.finish()
                if request.WhichOneof("part") != "piece":
                    raise InvalidInput("After the header come pieces, then one end.", field="part")
                await upload.write(request.piece)
                if upload.size_bytes > self._admitting.max_upload_bytes:
                    self._admitting.check_room(upload.size_bytes)
        raise UploadIncomplete

    async def _told(self, job: Job) -> job_pb2.Job:
        return translate.job(await self._watching.get(job.order.job_id))


async def _header(requests: AsyncIterator[pb.IngestRequest]) -> pb.IngestHeader:
    async for request in requests:
        if request.WhichOneof("part") != "header":
            break
        return request.header
    raise InvalidInput("The first message must be a header.", field="header")


async def _end(requests: AsyncIterator[pb.IngestRequest]) -> pb.IngestEnd:
    async for request in requests:
        if request.WhichOneof("part") != "end":
            raise InvalidInput("After a header that refers to a blob comes the end.", field="part")
        return request.end
    raise UploadIncomplete


def _checked(header: pb.IngestHeader) -> pb.IngestHeader:
    if header.kind == job_pb2.JOB_KIND_TEXTS:
        if not header.HasField("blob"):
            raise InvalidInput("Texts come by reference to a blob.", field="header.blob")
    elif not (header.document_key or header.file_name):
        raise InvalidInput("A document needs a document_key or a file_name.", field="header.file_name")
    return header


def _hold_against(blob: Blob, end: pb.IngestEnd) -> None:
    if (blob.sha256, blob.size_bytes) != (end.sha256, end.size_bytes):
        raise UploadMismatch(received_bytes=str(blob.size_bytes), announced_bytes=str(end.size_bytes))
