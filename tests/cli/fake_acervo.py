"""A small true server of acervo.rag.v1 in memory: what is uploaded is kept, jobs run when they are allowed to."""
# ruff: noqa: ARG002 - the contract names the methods and gives them their arguments

import hashlib
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from acervo.gateway.v1 import text_service_pb2_grpc
from acervo.rag.v1 import (
    collection_service_pb2_grpc,
    content_service_pb2_grpc,
    document_pb2,
    document_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    queue_service_pb2_grpc,
    search_service_pb2_grpc,
    system_service_pb2_grpc,
)
from tests.cli.fake_contents import FakeContents
from tests.cli.fake_queue import FakeQueue
from tests.cli.fake_reading import FakeReading, refuse

MAX_SIZE_BYTES = 1_000_000
TERMINAL = (job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_SUCCEEDED_PARTIALLY, job_pb2.JOB_STATE_FAILED)


@dataclass(eq=False)
class FakeAcervo(
    FakeContents,
    FakeReading,
    ingest_service_pb2_grpc.IngestServiceServicer,
    job_service_pb2_grpc.JobServiceServicer,
):
    """The state of the server, which a test looks at and sets up."""

    uploads: list[tuple[ingest_service_pb2.IngestHeader, bytes]] = field(default_factory=list)
    statuses: list[job_service_pb2.JobStatusRequest] = field(default_factory=list)
    endings: dict[str, job_pb2.Job] = field(default_factory=dict)  # by file name: merged into the job as its end
    refusals: list[status_pb2.Status] = field(default_factory=list)  # of the next uploads, in order
    lost_answers: int = 0  # uploads that are taken in and whose answer does not arrive
    broken_streams: int = 0  # status streams that end after one snapshot
    running: threading.Event = field(default_factory=threading.Event)  # jobs end only while it is set
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.running.set()

    # --- ingestion

    def BeginIngest(
        self, request: ingest_service_pb2.BeginIngestRequest, context: grpc.ServicerContext
    ) -> ingest_service_pb2.BeginIngestResponse:
        size_bytes = request.header.declared_size_bytes
        if size_bytes > MAX_SIZE_BYTES:
            refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "UPLOAD_TOO_LARGE", f"{size_bytes} bytes are too much.")
        answer = ingest_service_pb2.BeginIngestResponse(max_size_bytes=MAX_SIZE_BYTES, max_piece_bytes=262144)
        existing = self._existing(request.header)
        if existing is not None:
            answer.existing_job.CopyFrom(existing)
        return answer

    def Ingest(
        self, requests: Iterator[ingest_service_pb2.IngestRequest], context: grpc.ServicerContext
    ) -> ingest_service_pb2.IngestResponse:
        header = next(requests).header
        with self._lock:
            refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            context.abort_with_status(rpc_status.to_status(refusal))
        contents, end = self._receive(requests)
        if end is None:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_INCOMPLETE", "There was no end message.")
        digest = hashlib.sha256(contents).hexdigest()
        if (end.size_bytes, end.sha256) != (len(contents), digest) or header.declared_sha256 != digest:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_MISMATCH", "These are other bytes.")
        job = self._accept(header, contents)
        with self._lock:
            if self.lost_answers:
                self.lost_answers -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return ingest_service_pb2.IngestResponse(job=job)

    @staticmethod
    def _receive(
        requests: Iterator[ingest_service_pb2.IngestRequest],
    ) -> tuple[bytes, ingest_service_pb2.IngestEnd | None]:
        contents = b""
        end: ingest_service_pb2.IngestEnd | None = None
        for request in requests:
            assert end is None, "nothing follows the end"
            if request.HasField("end"):
                end = request.end
            else:
                assert 0 < len(request.piece) <= 262144
                contents += request.piece
        return contents, end

    def _existing(self, header: ingest_service_pb2.IngestHeader) -> job_pb2.Job | None:
        for job in self.jobs.values():
            if job.request_id == header.request_id:
                return job
            same = (job.document_key, job.sha256) == (header.document_key, header.declared_sha256)
            if same and job.state in TERMINAL[:2]:
                return job
        return None

    def _accept(self, header: ingest_service_pb2.IngestHeader, contents: bytes) -> job_pb2.Job:
        job = job_pb2.Job(
            name=f"jobs/{uuid.uuid4()}",
            kind=job_pb2.JOB_KIND_INGEST,
            state=job_pb2.JOB_STATE_QUEUED,
            revision=1,
            progress=job_pb2.JobProgress(queue_position=0),
            collection=f"collections/{header.collection or 'default'}",
            document_key=header.document_key,
            file_name=header.file_name,
            size_bytes=len(contents),
            sha256=header.declared_sha256,
            request_id=header.request_id,
            priority=header.priority,
        )
        job.create_time.FromJsonString("2025-03-01T12:00:00Z")
        with self._lock:
            self.uploads.append((header, contents))
            self.jobs[job.name] = job
        return job

    # --- jobs

    def JobStatus(
        self, request: job_service_pb2.JobStatusRequest, context: grpc.ServicerContext
    ) -> Iterator[job_service_pb2.JobStatusResponse]:
        self.statuses.append(request)
        job = self._job(request.name, context)
        while True:
            yield job_service_pb2.JobStatusResponse(job=job)
            if job.state in TERMINAL or job.state == job_pb2.JOB_STATE_CANCELLED:
                return
            with self._lock:
                if self.broken_streams:
                    self.broken_streams -= 1
                    return
            self._advance(job)

    def _advance(self, job: job_pb2.Job) -> None:
        if job.state == job_pb2.JOB_STATE_QUEUED:
            stage = job_pb2.JOB_STAGE_EMBEDDING
            progress = job_pb2.JobProgress(stage=stage, pages_done=2, pages_total=2, chunks_done=1, chunks_total=3)
            progress.rate_per_second = 12.4
            progress.eta.FromSeconds(62)
            self._set(job, job_pb2.Job(state=job_pb2.JOB_STATE_RUNNING, progress=progress))
            return
        self.running.wait()
        if job.state == job_pb2.JOB_STATE_RUNNING:  # a stream of a stopped server may have waited as well
            self._end(job)

    def _end(self, job: job_pb2.Job) -> None:
        ending = self.endings.get(job.file_name)
        if ending is None:
            document = f"{job.collection}/documents/{uuid.uuid4()}"
            outcome = job_pb2.INGEST_OUTCOME_CREATED
            ending = job_pb2.Job(state=job_pb2.JOB_STATE_SUCCEEDED, document=document, outcome=outcome, sequence=7)
            self.documents[document] = document_pb2.Document(
                name=document, document_key=job.document_key, file_name=job.file_name, page_count=2, chunk_count=3
            )
        self._set(job, ending)

    @staticmethod
    def _set(job: job_pb2.Job, change: job_pb2.Job) -> None:
        if change.HasField("progress"):
            job.ClearField("progress")
        job.MergeFrom(change)
        job.revision += 1

    def GetJob(
        self, request: job_service_pb2.GetJobRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.GetJobResponse:
        return job_service_pb2.GetJobResponse(job=self._job(request.name, context))

    def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.ListJobsResponse:
        jobs = [job for job in self.jobs.values() if not request.states or job.state in request.states]
        begin = int(request.page_token or 0)
        page = jobs[begin : begin + request.page_size]
        token = str(begin + len(page)) if begin + len(page) < len(jobs) else ""
        return job_service_pb2.ListJobsResponse(jobs=page, next_page_token=token)

    def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.CancelJobResponse:
        job = self._job(request.name, context)
        if job.state in TERMINAL:
            refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "JOB_ENDED", "The job has ended.")
        self._set(job, job_pb2.Job(state=job_pb2.JOB_STATE_CANCELLED))
        return job_service_pb2.CancelJobResponse(job=job)

    def RetryJob(
        self, request: job_service_pb2.RetryJobRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.RetryJobResponse:
        job = self._job(request.name, context)
        self._set(job, job_pb2.Job(state=job_pb2.JOB_STATE_QUEUED))
        return job_service_pb2.RetryJobResponse(job=job)

    def _job(self, name: str, context: grpc.ServicerContext) -> job_pb2.Job:
        if name not in self.jobs:
            refuse(context, grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND", f"There is no {name}.")
        return self.jobs[name]


def start_server(acervo: FakeAcervo, port: int = 0) -> tuple[grpc.Server, int]:
    """A real server in this process, and its port."""
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(acervo, server)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(acervo, server)
    document_service_pb2_grpc.add_DocumentServiceServicer_to_server(acervo, server)
    collection_service_pb2_grpc.add_CollectionServiceServicer_to_server(acervo, server)
    search_service_pb2_grpc.add_SearchServiceServicer_to_server(acervo, server)
    queue_service_pb2_grpc.add_QueueServiceServicer_to_server(FakeQueue(), server)
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(acervo, server)
    content_service_pb2_grpc.add_ContentServiceServicer_to_server(acervo, server)
    text_service_pb2_grpc.add_TextServiceServicer_to_server(acervo, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound
