"""Texts as documents: what stands, what was asked for later, and publishing one of a batch."""

import json
from dataclasses import dataclass

import uuid_utils

from rag_server.adapters.postgres.changes import append_change
from rag_server.adapters.postgres.history import retire_version
from rag_server.adapters.postgres.publishing import MAKE_CURRENT, STANDING
from rag_server.adapters.postgres.staging import CHUNK_COLUMNS, PAGE_COLUMNS, chunk_row
from rag_server.adapters.tables.rows import to_json
from rag_server.domain.document import ChangeKind
from rag_server.domain.job import Order
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import PreparedText, TextItem, same_metadata
from storage.postgres import Connection
from storage.postgres_named import execute

_AS_SENT = """
SELECT v.metadata, v.tags, v.media_type, v.properties
FROM document d JOIN version v ON v.version_id = d.current_version_id
WHERE d.collection = $1 AND d.document_key = $2 AND v.sha256 = $3 AND v.pipeline_version = $4
  AND v.model_fingerprint = $5
"""

_SUPERSEDED = """
SELECT EXISTS (SELECT 1 FROM document WHERE collection = $1 AND document_key = $2 AND admission > $3)
  OR EXISTS (SELECT 1 FROM tombstone WHERE collection = $1 AND document_key IN ($2, '') AND admission >= $3)
"""

_ANSWER_TO = "UPDATE document SET admission = greatest(admission, $1) WHERE collection = $2 AND document_key = $3"

_STAGE = """
INSERT INTO version (collection, document_key, job_id, state, erased, sha256, size_bytes, file_name, metadata, tags,
  pipeline_version, model_fingerprint, part_of, media_type, page_count, page_total, chunk_count, char_count, properties)
VALUES ($1, $2, $3, 'STAGED', 0, $4, $5, $6, $7, $8, $9, $10, $11, '', 0, 0, 0, 0, '{}') RETURNING version_id
"""

_POINT = """
INSERT INTO document (collection, document_id, document_key, current_version_id, number, admission, create_time,
  update_time)
VALUES (:collection, :document_id, :document_key, :version_id, :number, :admission, :now::float8, :now::float8)
ON CONFLICT (collection, document_id) DO UPDATE SET current_version_id = excluded.current_version_id,
  number = excluded.number, admission = excluded.admission, update_time = excluded.update_time
"""


@dataclass(frozen=True, slots=True)
class TextBatch:
    """One transaction of a job that takes texts in. The keys are locked."""

    connection: Connection
    order: Order  # of the job
    admission: int
    pipeline: Pipeline
    now: float

    async def answer_to(self, item: TextItem) -> None:
        """The document stands as it was sent: what was asked for earlier can no longer replace it."""
        await self.connection.execute(_ANSWER_TO, self.admission, self.order.collection, item.document_key)

    async def stage(self, text: PreparedText) -> int:
        """The version with its pages and chunks, not yet to be found. Its id."""
        order, item, pipeline = self.order, text.item, self.pipeline
        original = (item.sha256, len(item.encoded), item.document_key, item.metadata_json, to_json(item.tags))
        made_with = (pipeline.version, pipeline.model_fingerprint, order.sha256)
        values = (order.collection, item.document_key, order.job_id, *original, *made_with)
        version_id = int(await self.connection.fetchval(_STAGE, *values))
        pages = [(version_id, ordinal, *page) for ordinal, page in enumerate(text.pages)]
        await self.connection.copy_records_to_table("page", records=pages, columns=PAGE_COLUMNS)
        chunks = [chunk_row(version_id, order.collection, chunk) for chunk in text.chunks]
        await self.connection.copy_records_to_table("chunk", records=chunks, columns=CHUNK_COLUMNS)
        return version_id

    async def forget(self, version_id: int) -> None:
        """What was staged is of no use after all. Nothing happens where nothing was (0)."""
        await self.connection.execute("UPDATE version SET state = 'RETIRED' WHERE version_id = $1", version_id)

    async def publish(self, text: PreparedText, version_id: int) -> bool:
        """Make it the document; True where there was one with the key."""
        connection, order, item = self.connection, self.order, text.item
        await connection.execute(_COLLECTION, order.collection, self.now)
        standing = await connection.fetchrow(STANDING, order.collection, item.document_key)
        document_id, number, retired_id = standing or (str(uuid_utils.uuid7()), 0, 0)
        await retire_version(connection, retired_id)
        what = (order.collection, document_id, version_id)
        bindings = {
            "collection": order.collection,
            "document_key": item.document_key,
            "document_id": document_id,
            "version_id": version_id,
            "number": number + 1,
            "sequence": await append_change(connection, ChangeKind.PUBLISHED, what, self.now),
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
        await execute(connection, MAKE_CURRENT, bindings)
        await execute(connection, _POINT, bindings)
        return standing is not None


_COLLECTION = "INSERT INTO collection VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def is_superseded(batch: TextBatch, document_key: str) -> bool:
    """Whether something asked for after the job was published or deleted for this key."""
    values = (batch.order.collection, document_key, batch.admission)
    return bool(await batch.connection.fetchval(_SUPERSEDED, *values))


async def stands(connection: Connection, collection: str, item: TextItem, pipeline: Pipeline) -> bool:
    """Whether the document is the same already. No title stands for whatever title it has."""
    values = (collection, item.document_key, item.sha256, pipeline.version, pipeline.model_fingerprint)
    row = await connection.fetchrow(_AS_SENT, *values)
    if row is None:
        return False
    metadata, tags, media_type, properties = row
    title = json.loads(properties).get("title", "")
    same_words = same_metadata(item.metadata_json, metadata) and set(item.tags) == set(json.loads(tags))
    return same_words and item.media_type == media_type and item.title in {"", title}
