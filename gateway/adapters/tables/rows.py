"""Between rows of the outbox table and entries."""

import json
from collections.abc import Iterable
from typing import Any

import apsw

from gateway.domain.entry import Entry, EntryState, Origin, Refusal
from gateway.domain.upload import Upload, UploadKind
from storage.blobs import Blob

COLUMNS = (
    "position, job_id, request_id, collection, document_key, file_name, media_type, metadata_json, tags_json, "
    "priority, sha256, size_bytes, traceparent, origin_request_id, accept_time, update_time, state, revision, open, "
    "known_as, refusal_json, kind"
)


def select(connection: apsw.Connection, clauses: str, values: Iterable[Any] = ()) -> list[Entry]:
    """The entries for which the clauses after FROM hold."""
    return [to_entry(row) for row in connection.execute(f"SELECT {COLUMNS} FROM outbox {clauses}", tuple(values))]  # noqa: S608 - clauses are ours, values are bound


def to_entry(row: tuple[Any, ...]) -> Entry:
    """The entry of a row with COLUMNS."""
    (position, job_id, request_id, collection, document_key, file_name, media_type, metadata_json, tags_json) = row[:9]
    (priority, sha256, size_bytes, traceparent, origin_request_id, accept_time, update_time) = row[9:16]
    (state, revision, is_open, known_as, refusal_json, kind) = row[16:]
    tags = tuple(json.loads(tags_json))
    return Entry(
        job_id=job_id,
        upload=Upload(
            document_key, file_name, collection, media_type, metadata_json, tags, priority, request_id, UploadKind(kind)
        ),
        blob=Blob(sha256, size_bytes),
        origin=Origin(traceparent, origin_request_id),
        accept_time=accept_time,
        update_time=update_time,
        state=EntryState(state),
        revision=revision,
        position=position,
        open=bool(is_open),
        known_as=known_as,
        refusal=None if refusal_json is None else Refusal(**json.loads(refusal_json)),
    )


def to_values(entry: Entry) -> tuple[Any, ...]:
    """The values of COLUMNS after `position`, which the database gives."""
    upload = entry.upload
    return (
        entry.job_id,
        upload.request_id,
        upload.collection,
        upload.document_key,
        upload.file_name,
        upload.media_type,
        upload.metadata_json,
        json.dumps(upload.tags),
        upload.priority,
        entry.blob.sha256,
        entry.blob.size_bytes,
        entry.origin.traceparent,
        entry.origin.request_id,
        entry.accept_time,
        entry.update_time,
        entry.state,
        entry.revision,
        entry.open,
        entry.known_as,
        None,
        upload.kind,
    )


def to_json(refusal: Refusal) -> str:
    """What `to_entry` reads back."""
    known = {"code": refusal.code, "reason": refusal.reason, "message": refusal.message}
    return json.dumps({**known, "metadata": dict(refusal.metadata)})
