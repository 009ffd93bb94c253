"""Between the contract's messages and the domain's values."""

from google.protobuf.json_format import MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from acervo.gateway.v1 import upload_service_pb2
from acervo.rag.v1 import ingest_service_pb2, job_pb2, system_service_pb2
from gateway.domain.entry import Entry, EntryState, Refusal
from gateway.domain.health import Part
from gateway.domain.invariant import Invariant
from gateway.domain.snapshot import Snapshot
from gateway.domain.upload import DEFAULT_PRIORITY, Upload, UploadKind, settled
from serving import status

STATES = {
    EntryState.PENDING: job_pb2.JOB_STATE_QUEUED,
    EntryState.FORWARDED: job_pb2.JOB_STATE_QUEUED,  # told only where the rag_server cannot be asked
    EntryState.REFUSED: job_pb2.JOB_STATE_FAILED,
    EntryState.CANCELLED: job_pb2.JOB_STATE_CANCELLED,
}
ENDED = frozenset({EntryState.REFUSED, EntryState.CANCELLED})
STATE_PREFIX = "JOB_STATE_"


def job(entry: Entry) -> job_pb2.Job:
    """The job of an entry, as far as the gateway can tell it."""
    message = job_pb2.Job(
        name=f"jobs/{entry.job_id}",
        kind=job_pb2.JobKind.Value(f"JOB_KIND_{entry.upload.kind}"),
        state=STATES[entry.state],
        revision=0 if entry.state is EntryState.FORWARDED else entry.revision,
        progress=job_pb2.JobProgress(),
        collection=f"collections/{entry.upload.collection}",
        document_key=entry.upload.document_key,
        file_name=entry.upload.file_name,
        size_bytes=entry.blob.size_bytes,
        sha256=entry.blob.sha256,
        priority=entry.upload.priority,
        request_id=entry.upload.request_id,
        create_time=timestamp(entry.accept_time),
        update_time=timestamp(entry.update_time),
    )
    if entry.upload.kind is UploadKind.TEXTS:
        message.documents.SetInParent()
    if entry.state in ENDED:
        message.end_time.CopyFrom(timestamp(entry.update_time))
    if entry.refusal is not None:
        message.error.CopyFrom(_error(entry.refusal))
    return message


def snapshot(entry: Entry) -> Snapshot[job_pb2.Job]:
    """The same, as far as following it needs to know."""
    return Snapshot(entry.revision, entry.state in ENDED, job(entry))


def job_id(name: str) -> str:
    """The id in `jobs/{id}`."""
    return name.removeprefix("jobs/")


def short_state(value: job_pb2.Job) -> str:
    """`QUEUED`, `SUCCEEDED` …"""
    return job_pb2.JobState.Name(value.state).removeprefix(STATE_PREFIX)


def upload_of_header(header: ingest_service_pb2.IngestHeader) -> Upload:
    """What a header asks for. Raises InvalidInput."""
    return settled(
        Upload(
            document_key=header.document_key,
            file_name=header.file_name,
            collection=header.collection,
            media_type=header.media_type,
            metadata_json=MessageToJson(header.metadata, indent=None) if header.HasField("metadata") else "",
            tags=tuple(header.tags),
            priority=header.priority if header.HasField("priority") else DEFAULT_PRIORITY,
            request_id=header.request_id,
        )
    )


def upload_of_request(request: upload_service_pb2.UploadRequest, file_name: str, media_type: str) -> Upload:
    """What the fields of an HTTP upload ask for. Raises InvalidInput."""
    return settled(
        Upload(
            document_key=request.document_key,
            file_name=file_name,
            collection=request.collection,
            media_type=media_type,
            metadata_json=request.metadata,
            tags=tuple(request.tags),
            priority=request.priority if request.HasField("priority") else DEFAULT_PRIORITY,
            request_id=request.request_id,
        )
    )


def component(part: Part) -> system_service_pb2.Component:
    """The message for the condition of a part."""
    condition = system_service_pb2.Condition.Value(f"CONDITION_{part.condition}")
    return system_service_pb2.Component(name=part.name, condition=condition, detail=part.detail)


def invariant(value: Invariant) -> system_service_pb2.Invariant:
    """The message for a checked invariant."""
    return system_service_pb2.Invariant(
        id=value.id, title=value.title, ok=value.ok, checked=value.checked, detail="; ".join(value.faults)
    )


def timestamp(seconds: float) -> Timestamp:
    """The message for a time."""
    micros = round(seconds * 1e6)
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def _error(refusal: Refusal) -> status_pb2.Status:
    message = status_pb2.Status(code=refusal.code, message=refusal.message)
    info = error_details_pb2.ErrorInfo(domain=status.DOMAIN, reason=refusal.reason, metadata=refusal.metadata)
    message.details.add().Pack(info)
    return message
