"""Texts as documents: what stands, what was asked for later, and publishing one of a batch."""

import json
from dataclasses import dataclass

import apsw
import uuid_utils

from rag_server.adapters.sqlite.changes import append_change
from rag_server.adapters.sqlite.history import retire_version
from rag_server.adapters.sqlite.publishing import MAKE_CURRENT, STANDING
from rag_server.adapters.sqlite.staging import ADD_CHUNK, ADD_PAGE, chunk_row
from rag_server.adapters.tables.rows import to_json
from rag_server.domain.document import ChangeKind
from rag_server.domain.job import Order
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import PreparedText, TextItem, same_metadata

_AS_SENT = """
SELECT v.metadata, v.tags, v.media_type, coalesce(v.properties ->> 'title', '')
FROM document d JOIN version v ON v.version_id = d.current_version_id
WHERE d.collection = ? AND d.document_key = ? AND v.sha256 = ? AND v.pipeline_version = ? AND v.model_fingerprint = ?
"""

_SUPERSEDED = """
SELECT EXISTS (SELECT 1 FROM document WHERE collection = ?1 AND document_key = ?2 AND admission > ?3)
  OR EXISTS (SELECT 1 FROM tombstone WHERE collection = ?1 AND document_key IN (?2, '') AND admission >= ?3)
"""

_ANSWER_TO = "UPDATE document SET admission = max(admission, ?) WHERE collection = ? AND document_key = ?"

_STAGE = """
INSERT INTO version (collection, document_key, job_id, state, erased, sha256, size_bytes, file_name, metadata, tags,
  pipeline_version, model_fingerprint, part_of, media_type, page_count, page_total, chunk_count, char_count, properties)
VALUES (?, ?, ?, 'STAGED', 0, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0, 0, '{}') RETURNING version_id
"""

_POINT = """
INSERT INTO document (collection, document_id, document_key, current_version_id, number, admission, create_time,
  update_time) VALUES (:collection, :document_id, :document_key, :version_id, :number, :admission, :now, :now)
ON CONFLICT (collection, document_id) DO UPDATE SET current_version_id = excluded.current_version_id,
  number = excluded.number, admission = excluded.admission, update_time = excluded.update_time
"""


@dataclass(frozen=True, slots=True)
class TextBatch:
    """One transaction of a job that takes texts in."""

    connection: apsw.Connection
    order: Order  # of the job
    admission: int
    pipeline: Pipeline
    now: float

    def answer_to(self, item: TextItem) -> None:
        """The document stands as it was sent: what was asked for earlier can no longer replace it."""
        self.connection.execute(_ANSWER_TO, (self.admission, self.order.collection, item.document_key))

    def publish(self, text: PreparedText) -> bool:
        """Make it the document; True where there was one with the key."""
        connection, order, item = self.connection, self.order, text.item
        connection.execute("INSERT OR IGNORE INTO collection VALUES (?, ?)", (order.collection, self.now))
        standing = connection.execute(STANDING, (order.collection, item.document_key)).fetchone()
        document_id, number, retired_id = standing or (str(uuid_utils.uuid7()), 0, 0)
        retire_version(connection, retired_id)
        version_id = self._stage(text)
        what = (order.collection, document_id, version_id)
        bindings = {
            "collection": order.collection,
            "document_key": item.document_key,
            "document_id": document_id,
            "version_id": version_id,
            "number": number + 1,
            "sequence": append_change(connection, ChangeKind.PUBLISHED, what, self.now),
            "job_id": order.job_id,
            "admission": self.admission,
            "now": self.now,
            "media_type": text.summary.media_type,
            "page_count": text.summary.page_count,
            "page_total": text.summary.page_total,
            "chunk_count": text.summary.chunk_count,
            "char_count": text.summary.char_count,
            "properties": to_json(dict(text.summary.properties)),
            "problem": None,
        }
        connection.execute(MAKE_CURRENT, bindings)
        connection.execute(_POINT, bindings)
        return standing is not None

    def _stage(self, text: PreparedText) -> int:
        """The version with its pages and chunks, not yet to be found. Its id."""
        order, item, pipeline = self.order, text.item, self.pipeline
        original = (item.sha256, len(item.encoded), item.document_key, item.metadata_json, to_json(item.tags))
        made_with = (pipeline.version, pipeline.model_fingerprint, order.sha256)
        values = (order.collection, item.document_key, order.job_id, *original, *made_with)
        version_id = int(self.connection.execute(_STAGE, values).get)
        pages = [(version_id, ordinal, *page) for ordinal, page in enumerate(text.pages)]
        self.connection.executemany(ADD_PAGE, pages)
        chunks = [chunk_row(version_id, order.collection, chunk) for chunk in text.chunks]
        self.connection.executemany(ADD_CHUNK, chunks)
        return version_id


def is_superseded(batch: TextBatch, document_key: str) -> bool:
    """Whether something asked for after the job was published or deleted for this key."""
    return bool(batch.connection.execute(_SUPERSEDED, (batch.order.collection, document_key, batch.admission)).get)


def stands(connection: apsw.Connection, collection: str, item: TextItem, pipeline: Pipeline) -> bool:
    """Whether the document is the same already. No title stands for whatever title it has."""
    values = (collection, item.document_key, item.sha256, pipeline.version, pipeline.model_fingerprint)
    row = connection.execute(_AS_SENT, values).fetchone()
    if row is None:
        return False
    metadata, tags, media_type, title = row
    same_words = same_metadata(item.metadata_json, metadata) and set(item.tags) == set(json.loads(tags))
    return same_words and item.media_type == media_type and item.title in {"", title}
