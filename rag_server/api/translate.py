"""Between the contract's messages and the domain's values; the only place that knows both."""

import json

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson, ParseDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from acervo.rag.v1 import (
    collection_pb2,
    document_pb2,
    ingest_service_pb2,
    job_pb2,
    system_service_pb2,
)
from rag_server.domain.document import DEFAULT_COLLECTION, Collection, Document
from rag_server.domain.failure import Failure
from rag_server.domain.health import Part
from rag_server.domain.invariant import Invariant
from rag_server.domain.job import DEFAULT_PRIORITY, FOUND, DocumentCounts, Job, JobCount, JobKind, Order, Progress
from rag_server.domain.segment import VectorHolding
from serving import trace
from serving.status import DOMAIN

ABORTED = 10  # google.rpc.Code: the job was ended by the system
FAILED_PRECONDITION = 9
SEVERAL = frozenset({JobKind.TEXTS, JobKind.DELETE})  # kinds of jobs about several documents
DEAD_REASONS = frozenset({"INTERNAL", "WORKER_CRASHED", "BLOB_MISSING"})


def collection_id(name: str) -> str:
    """The bare id in `collections/{id}` or `{id}`; the default collection where empty."""
    return name.removeprefix("collections/") or DEFAULT_COLLECTION


def collection_name(collection: str) -> str:
    """The resource name of a collection."""
    return f"collections/{collection}"


def document_name(collection: str, document_id: str) -> str:
    """The resource name of a document."""
    return f"collections/{collection}/documents/{document_id}"


def document_ids(name: str) -> tuple[str, str]:
    """Collection (empty where the name does not say) and document id."""
    before, _, document_id = name.rpartition("documents/")
    return before.removeprefix("collections/").removesuffix("/"), document_id


def job_id(name: str) -> str:
    """The id in `jobs/{id}`."""
    return name.removeprefix("jobs/")


def order(header: ingest_service_pb2.IngestHeader, new_job_id: str, sha256: str, size_bytes: int) -> Order:
    """What a header asks for in the present request, once the bytes are known."""
    origin = trace.current()
    metadata = MessageToJson(header.metadata, indent=None) if header.HasField("metadata") else "{}"
    return Order(
        job_id=job_id(header.job) or new_job_id,
        collection=collection_id(header.collection),
        document_key=header.document_key or header.file_name,
        file_name=header.file_name or header.document_key,
        sha256=sha256,
        size_bytes=size_bytes,
        media_type=header.media_type,
        metadata_json=metadata,
        tags=tuple(header.tags),
        priority=header.priority if header.HasField("priority") else DEFAULT_PRIORITY,
        request_id=header.request_id,
        traceparent=origin.traceparent,
        origin_request_id=origin.request_id,
        kind=JobKind.TEXTS if header.kind == job_pb2.JOB_KIND_TEXTS else JobKind.INGEST,
    )


def job(value: Job) -> job_pb2.Job:
    """The message for a job."""
    asked = value.order
    found = value.state in FOUND
    message = job_pb2.Job(
        name=f"jobs/{asked.job_id}",
        kind=job_pb2.JobKind.Value(f"JOB_KIND_{asked.kind}"),
        state=job_pb2.JobState.Value(f"JOB_STATE_{value.state}"),
        revision=value.revision,
        progress=_progress(value.progress, value.queue_position),
        collection=collection_name(asked.collection),
        document_key=asked.document_key,
        document=document_name(asked.collection, value.document_id) if value.document_id else "",
        document_version=value.document_version,
        outcome=job_pb2.IngestOutcome.Value(f"INGEST_OUTCOME_{value.outcome or 'UNSPECIFIED'}"),
        file_name=asked.file_name,
        size_bytes=asked.size_bytes,
        sha256=asked.sha256,
        sequence=value.sequence if found else 0,
        priority=asked.priority,
        attempt=value.attempt,
        request_id=asked.request_id,
        create_time=timestamp(value.create_time),
        start_time=timestamp(value.start_time),
        end_time=timestamp(value.end_time),
        update_time=timestamp(value.update_time),
        next_attempt_time=timestamp(value.next_attempt_time),
    )
    if asked.kind in SEVERAL:
        message.documents.CopyFrom(_document_counts(value.result))
    if value.failure is not None:
        message.error.CopyFrom(_error(value.failure))
    if value.problem is not None:
        message.warnings.append(_warning(value.problem, value.progress))
    return message


def document(value: Document) -> document_pb2.Document:
    """The message for a document."""
    return document_pb2.Document(
        name=document_name(value.collection, value.document_id),
        document_key=value.document_key,
        file_name=value.file_name,
        media_type=value.media_type,
        size_bytes=value.size_bytes,
        sha256=value.sha256,
        version=value.version,
        page_count=value.page_count,
        page_total=value.page_total,
        chunk_count=value.chunk_count,
        char_count=value.char_count,
        properties=value.properties,
        metadata=_struct(value.metadata_json),
        tags=value.tags,
        sequence=value.sequence,
        job=f"jobs/{value.job_id}",
        create_time=timestamp(value.create_time),
        update_time=timestamp(value.update_time),
    )


def collection(value: Collection, holding: VectorHolding | None = None) -> collection_pb2.Collection:
    """The message for a collection, of which an index has so much."""
    return collection_pb2.Collection(
        vector_index=None if holding is None else _vector_index(holding),
        name=collection_name(value.collection),
        document_count=value.document_count,
        chunk_count=value.chunk_count,
        create_time=timestamp(value.create_time),
    )


def _vector_index(value: VectorHolding) -> collection_pb2.VectorIndex:
    return collection_pb2.VectorIndex(
        vector_count=value.rows,
        exact_count=0 if value.in_database else value.exact_rows,
        segment_count=len(value.segments),
        size_bytes=value.size_bytes,
        bytes_per_vector=value.size_bytes / value.rows if value.rows else 0.0,
        kind=_vector_index_kind(value),
    )


def _vector_index_kind(value: VectorHolding) -> "collection_pb2.VectorIndexKind.ValueType":
    if value.in_database:
        return collection_pb2.VECTOR_INDEX_KIND_PGVECTOR
    return collection_pb2.VECTOR_INDEX_KIND_SEGMENTS if value.segments else collection_pb2.VECTOR_INDEX_KIND_EXACT


def invariant(value: Invariant) -> system_service_pb2.Invariant:
    """The message for a checked invariant."""
    return system_service_pb2.Invariant(
        id=value.id, title=value.title, ok=value.ok, checked=value.checked, detail="; ".join(value.faults)
    )


def component(part: Part) -> system_service_pb2.Component:
    """The message for the condition of a part."""
    condition = system_service_pb2.Condition.Value(f"CONDITION_{part.condition}")
    return system_service_pb2.Component(name=part.name, condition=condition, detail=part.detail)


def job_count(value: JobCount) -> system_service_pb2.JobCount:
    """The message for a count of jobs."""
    state = job_pb2.JobState.Value(f"JOB_STATE_{value.state}")
    return system_service_pb2.JobCount(state=state, reason=value.reason or "", count=value.count)


def timestamp(seconds: float | None) -> Timestamp | None:
    """The message for a time; None stays unset."""
    if seconds is None:
        return None
    micros = round(seconds * 1e6)
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def duration(seconds: float | None) -> Duration | None:
    """The message for a span; None stays unset."""
    if seconds is None:
        return None
    micros = round(seconds * 1e6)
    return Duration(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def _progress(value: Progress, queue_position: int | None) -> job_pb2.JobProgress:
    return job_pb2.JobProgress(
        stage=job_pb2.JobStage.Value(f"JOB_STAGE_{value.stage or 'UNSPECIFIED'}"),
        pages_done=value.pages_done,
        pages_total=value.pages_total,
        chunks_done=value.chunks_done,
        chunks_total=value.chunks_total,
        rate_per_second=value.rate_per_s,
        queue_position=queue_position,
        eta=duration(value.eta_s),
        documents_done=value.documents_done,
        documents_total=value.documents_total,
    )


def _document_counts(value: DocumentCounts) -> job_pb2.DocumentCounts:
    return job_pb2.DocumentCounts(
        created=value.created,
        updated=value.updated,
        unchanged=value.unchanged,
        deleted=value.deleted,
        superseded=value.superseded,
        rejected=value.rejected,
    )


def _error(failure: Failure) -> status_pb2.Status:
    code = ABORTED if failure.reason in DEAD_REASONS else FAILED_PRECONDITION
    status = status_pb2.Status(code=code, message=failure.sentence)
    info = error_details_pb2.ErrorInfo(domain=DOMAIN, reason=failure.reason, metadata=failure.detail)
    status.details.add().Pack(info)
    return status


def _warning(problem: Failure, progress: Progress) -> job_pb2.JobWarning:
    return job_pb2.JobWarning(
        reason=problem.reason,
        message=problem.sentence,
        pages_done=progress.pages_done,
        pages_total=progress.pages_total,
    )


def _struct(text: str) -> Struct | None:
    values = json.loads(text)
    return ParseDict(values, Struct()) if values else None
