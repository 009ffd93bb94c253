"""Taking one file in: hash, send, follow, report."""

import dataclasses
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from acervo.rag.v1.document_service_pb2 import GetDocumentRequest
from acervo.rag.v1.ingest_service_pb2 import IngestHeader
from acervo.rag.v1.job_pb2 import INGEST_OUTCOME_UNCHANGED, Job
from cli import outcome
from cli.connection import Connection
from cli.failure import Failure
from cli.files import Source
from cli.following import GOOD_STATES, follow, has_ended
from cli.outcome import Outcome
from cli.retrying import LIMIT_S, Patience, Stopped, persist
from cli.uploading import Contents, Upload, read_contents


class Display(Protocol):
    """Shows what happens to files. Called from several threads."""

    def sending(self, source: Source, sent_bytes: int, size_bytes: int) -> None:
        """So much of the file is on the server."""

    def seen(self, source: Source, job: Job) -> None:
        """The file's job has got so far."""

    def ended(self, source: Source, result: Outcome) -> None:
        """Nothing more happens to the file."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for all files of a command."""

    collection: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    priority: int | None
    request_id: str  # empty: one is made for each file
    wait: bool  # for the end of the jobs


class Ingestion:
    """Takes files in, one per thread that calls `run`."""

    def __init__(self, connection: Connection, wishes: Wishes, display: Display, stop: threading.Event) -> None:
        self._connection = connection
        self._wishes = wishes
        self._display = display
        self._stop = stop
        self._patience_s = LIMIT_S
        self.going_on: dict[str, Source] = {}  # jobs that were accepted and have not ended, by name

    def run(self, source: Source) -> Outcome | None:
        """What became of the file; None if the command was interrupted before that was known."""
        begun_s = time.monotonic()
        try:
            result = self._take_in(source, begun_s)
        except Stopped:
            return None
        except (Failure, OSError) as error:
            if self._stop.is_set():
                return None
            result = outcome.of_failure(source.shown, self._give_up(error), time.monotonic() - begun_s)
        self._display.ended(source, result)
        return result

    def _take_in(self, source: Source, begun_s: float) -> Outcome:
        contents = read_contents(source.path)
        header = self._header(source, contents)
        upload = Upload(self._connection, header, contents)
        job, existing = upload.run(
            self._patience(), lambda sent_bytes: self._display.sending(source, sent_bytes, contents.size_bytes)
        )
        unchanged = job.outcome == INGEST_OUTCOME_UNCHANGED or _stood_already(job, existing, header.request_id)
        lost = None
        if self._wishes.wait and not has_ended(job):
            job, lost = self._follow(source, job)
        result = outcome.of_job(source.shown, job, time.monotonic() - begun_s)
        if lost is not None:
            message = f"{lost.message}; the job goes on on the server"
            return dataclasses.replace(result, reason=lost.reason, message=message)
        unchanged = unchanged or job.outcome == INGEST_OUTCOME_UNCHANGED
        return self._with_counts(dataclasses.replace(result, unchanged=True)) if unchanged else result

    def _follow(self, source: Source, job: Job) -> tuple[Job, Failure | None]:
        """The last snapshot that could be had, and why it is not terminal."""
        self.going_on[job.name] = source
        try:
            for snapshot in follow(self._connection, job.name, self._patience()):
                job = snapshot
                self._display.seen(source, job)
        except Failure as failure:
            if self._stop.is_set():
                raise
            return job, self._give_up(failure)
        del self.going_on[job.name]
        self._patience_s = LIMIT_S
        return job, None

    def _patience(self) -> Patience:
        return Patience(self._stop, self._patience_s)

    def _give_up(self, error: Failure | OSError) -> Failure:
        if isinstance(error, OSError):
            return Failure(f"the file cannot be read: {error.strerror or type(error).__name__}", reason="UNREADABLE")
        if error.passing:
            self._patience_s = 0.0  # the other files need not wait as long for the same server, until it is back
        return error

    def _with_counts(self, result: Outcome) -> Outcome:
        # A job that did nothing has counted nothing; its document has.
        request = GetDocumentRequest(name=result.document)
        get_document = self._connection.documents.GetDocument
        try:
            answer = persist(lambda: self._connection.call(get_document, request), self._patience())
        except Failure:
            return result  # deleted since, or out of reach: what was asked for has happened all the same
        document = answer.document
        return dataclasses.replace(result, pages=document.page_count, chunks=document.chunk_count)

    def _header(self, source: Source, contents: Contents) -> IngestHeader:
        header = IngestHeader(
            collection=self._wishes.collection,
            document_key=source.document_key,
            file_name=source.file_name,
            tags=self._wishes.tags,
            priority=self._wishes.priority,
            request_id=self._wishes.request_id or str(uuid.uuid4()),
            declared_size_bytes=contents.size_bytes,
            declared_sha256=contents.sha256,
        )
        if self._wishes.metadata:
            header.metadata.update(dict(self._wishes.metadata))
        return header


def _stood_already(job: Job, existing: bool, request_id: str) -> bool:  # noqa: FBT001 - one of two facts about a job
    # The job of an earlier request stands for this one where the document is as it would become. Our own job, met
    # again after a broken connection, has done the work.
    return existing and job.request_id != request_id and job.state in GOOD_STATES
