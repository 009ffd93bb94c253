"""Rows as values of the domain, and back: one `..._from_row` per kind of row."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.attributes import attributes_of
from rag_server.domain.chunk import Chunk
from rag_server.domain.document import Change, ChangeKind, Collection, Document, IndexedChunk, Passage
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.filter import Attributes
from rag_server.domain.job import DocumentCounts, IngestOutcome, Job, JobKind, JobStage, JobState, Order, Progress
from rag_server.domain.segment import StoredSegment

Row = Sequence[Any]

JOB_COLUMNS = """job_id, collection, document_key, file_name, sha256, size_bytes, media_type, metadata, tags, priority,
request_id, traceparent, origin_request_id, state, revision, create_time, update_time, kind, progress, failure, problem,
document_id, document_version, outcome, sequence, attempt, crashes, cancel_requested, start_time, end_time,
next_attempt_time, parameters, result"""

DOCUMENT_COLUMNS = """d.collection, d.document_id, d.document_key, v.file_name, v.media_type, v.size_bytes, v.sha256,
d.number, v.page_count, v.page_total, v.chunk_count, v.char_count, v.properties, v.metadata, v.tags, v.sequence,
v.job_id, d.create_time, d.update_time"""

PASSAGE_COLUMNS = """c.chunk_id, c.version_id, d.collection, d.document_id, d.document_key, v.file_name, d.number,
c.page_first, c.page_last, c.char_start, c.char_end, c.headings, c.text"""


def job_from_row(row: Row) -> Job:
    """A row of JOB_COLUMNS."""
    return Job(
        order=Order(*[*row[:8], _tuple(row[8]), *row[9:13], JobKind(row[17]), row[31]]),
        state=JobState(row[13]),
        revision=row[14],
        create_time=row[15],
        update_time=row[16],
        progress=_progress_from_json(row[18]),
        failure=None if row[19] is None else failure_from_json(row[19]),
        problem=None if row[20] is None else failure_from_json(row[20]),
        document_id=row[21],
        document_version=row[22],
        outcome=None if row[23] is None else IngestOutcome(row[23]),
        sequence=row[24],
        attempt=row[25],
        crashes=row[26],
        cancel_requested=bool(row[27]),
        start_time=row[28],
        end_time=row[29],
        next_attempt_time=row[30],
        result=result_from_json(row[32]),
    )


def document_from_row(row: Row) -> Document:
    """A row of DOCUMENT_COLUMNS."""
    *known, properties, metadata, tags, sequence, job_id, create_time, update_time = row
    described = [json.loads(properties), metadata, _tuple(tags)]
    return Document(*[*known, *described, sequence, job_id, create_time, update_time])


def attributes_from_row(row: Row) -> Attributes:
    """A row of version id, DOCUMENT_COLUMNS."""
    return attributes_of(row[0], document_from_row(row[1:]))


def collection_from_row(row: Row) -> Collection:
    """A row of name, document count, chunk count, creation time."""
    return Collection(*row)


def change_from_row(row: Row) -> Change:
    """A row of sequence, kind, collection, document id, version id, segment id, time."""
    return Change(row[0], ChangeKind(row[1]), *row[2:])


def segment_from_row(row: Row) -> StoredSegment:
    """A row of segment id, collection, SHA-256, size, row count."""
    return StoredSegment(*row)


def indexed_chunk_from_row(row: Row) -> IndexedChunk:
    """A row of chunk id, collection, document id, version id, text, headings, title, vector, first and last page."""
    *of_what, text, headings, title, vector, page_first, page_last = row
    return IndexedChunk(*[*of_what, text, _tuple(headings), title, vector_from_blob(vector), page_first, page_last])


def passage_from_row(row: Row) -> Passage:
    """A row of PASSAGE_COLUMNS."""
    *place, headings, text = row
    return Passage(*[*place, _tuple(headings), text])


def chunk_from_row(row: Row) -> Chunk:
    """A row of ordinal, text, char_start, char_end, page_first, page_last, headings."""
    *known, headings = row
    return Chunk(*[*known, _tuple(headings)])


def failure_from_json(text: str) -> Failure:
    """What `failure_to_json` wrote."""
    stored = json.loads(text)
    return Failure(FailureReason(stored["reason"]), stored["message"], stored["detail"])


def failure_to_json(failure: Failure) -> str:
    """The reason, the message and the detail."""
    return to_json({"reason": failure.reason, "message": failure.message, "detail": dict(failure.detail)})


def result_from_json(text: str) -> DocumentCounts:
    """What a job about several documents did; nothing where it says nothing."""
    return DocumentCounts(**json.loads(text))


def progress_to_json(progress: Progress) -> str:
    """Equal progress gives equal text."""
    return to_json(asdict(progress))


def to_json(value: object) -> str:
    """Compact, and as readable as the text in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def vector_to_blob(vector: NDArray[np.float32]) -> bytes:
    """float32, little endian."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def vector_from_blob(blob: bytes) -> NDArray[np.float32]:
    """(d,); shares the blob's memory and is read-only."""
    return np.frombuffer(blob, dtype="<f4")


def _tuple(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(json.loads(text))


def _progress_from_json(text: str) -> Progress:
    stored = json.loads(text)
    stage = stored.pop("stage", None)
    return Progress(None if stage is None else JobStage(stage), **stored)
