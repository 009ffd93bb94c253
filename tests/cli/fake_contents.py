"""The part of the server in memory that holds what documents hold, and takes texts in."""
# ruff: noqa: ARG002 - the contract names the methods and gives them their arguments

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
from google.api.httpbody_pb2 import HttpBody

from acervo.gateway.v1 import text_service_pb2, text_service_pb2_grpc
from acervo.rag.v1 import content_pb2, content_service_pb2, content_service_pb2_grpc, document_service_pb2, job_pb2


@dataclass(eq=False)
class FakeContents(content_service_pb2_grpc.ContentServiceServicer, text_service_pb2_grpc.TextServiceServicer):
    """What a test sets up to be asked for, and what it was asked."""

    jobs: dict[str, job_pb2.Job] = field(default_factory=dict)
    chunks: list[content_pb2.Chunk] = field(default_factory=list)
    versions: list[content_pb2.DocumentVersion] = field(default_factory=list)
    original: tuple[str, list[bytes]] = ("", [])  # file name, pieces
    announced_sha256: str = ""  # empty: what is true
    sent_texts: list[text_service_pb2.UpsertTextsRequest] = field(default_factory=list)
    deletes: list[document_service_pb2.DeleteDocumentsRequest] = field(default_factory=list)

    def ListChunks(
        self, request: content_service_pb2.ListChunksRequest, context: grpc.ServicerContext
    ) -> content_service_pb2.ListChunksResponse:
        return content_service_pb2.ListChunksResponse(chunks=self.chunks, version=1)

    def ListVersions(
        self, request: content_service_pb2.ListVersionsRequest, context: grpc.ServicerContext
    ) -> content_service_pb2.ListVersionsResponse:
        return content_service_pb2.ListVersionsResponse(versions=self.versions)

    def GetDocumentText(
        self, request: content_service_pb2.GetDocumentTextRequest, context: grpc.ServicerContext
    ) -> content_service_pb2.GetDocumentTextResponse:
        text = "".join(chunk.text for chunk in self.chunks)
        return content_service_pb2.GetDocumentTextResponse(text=text, version=1)

    def DownloadDocument(
        self, request: content_service_pb2.DownloadDocumentRequest, context: grpc.ServicerContext
    ) -> Iterator[content_service_pb2.DownloadDocumentResponse]:
        name, pieces = self.original
        whole = b"".join(pieces)
        sha256 = self.announced_sha256 or hashlib.sha256(whole).hexdigest()
        about = {"file_name": name, "size_bytes": len(whole), "sha256": sha256}
        for piece in pieces:
            yield content_service_pb2.DownloadDocumentResponse(body=HttpBody(data=piece), **about)  # type: ignore[arg-type]  # texts and a number
            about = {}

    def UpsertTexts(
        self, request: text_service_pb2.UpsertTextsRequest, context: grpc.ServicerContext
    ) -> text_service_pb2.UpsertTextsResponse:
        self.sent_texts.append(request)
        job = self._queued(job_pb2.JOB_KIND_TEXTS)
        return text_service_pb2.UpsertTextsResponse(job_id=job.name.removeprefix("jobs/"), status="QUEUED", job=job)

    def DeleteDocuments(
        self, request: document_service_pb2.DeleteDocumentsRequest, context: grpc.ServicerContext
    ) -> document_service_pb2.DeleteDocumentsResponse:
        self.deletes.append(request)
        if request.dry_run:
            return document_service_pb2.DeleteDocumentsResponse(document_count=12)
        return document_service_pb2.DeleteDocumentsResponse(job=self._queued(job_pb2.JOB_KIND_DELETE))

    def _queued(self, kind: job_pb2.JobKind.ValueType) -> job_pb2.Job:
        name = f"jobs/{uuid.uuid4()}"
        self.jobs[name] = job_pb2.Job(name=name, kind=kind, state=job_pb2.JOB_STATE_QUEUED)
        return self.jobs[name]
