"""Texts as documents: what stands, what was asked for later, and publishing a batch; each question is one statement."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import uuid_utils

from rag_server.adapters.postgres.changes import LAST_SEQUENCE
from rag_server.adapters.postgres.history import retire_versions
from rag_server.adapters.postgres.locks import lock_change_log
from rag_server.adapters.postgres.staging import CHUNK_COLUMNS, PAGE_COLUMNS, chunk_row
from rag_server.adapters.tables.rows import to_json
from rag_server.domain.job import Order
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import PreparedText, TextItem, same_metadata
from storage.postgres import Connection

_AS_SENT = """
SELECT sent.place, v.metadata, v.tags, v.media_type, v.properties
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS sent (document_key, sha256, place)
JOIN document d ON d.collection = $1 AND d.document_key = sent.document_key
JOIN version v ON v.version_id = d.current_version_id AND v.sha256 = sent.sha256
WHERE v.pipeline_version = $4 AND v.model_fingerprint = $5
"""

_GROUND = """
SELECT sent.document_key, coalesce(d.admission > $3, FALSE) OR EXISTS (SELECT 1 FROM tombstone t
  WHERE t.collection = $1 AND t.document_key IN (sent.document_key, '') AND t.admission >= $3),
  d.document_id, d.number, d.current_version_id
FROM unnest($2::text[]) AS sent (document_key)
LEFT JOIN document d ON d.collection = $1 AND d.document_key = sent.document_key
"""

_ANSWER_TO = """
UPDATE document SET admission = greatest(admission, $1) WHERE collection = $2 AND document_key = ANY($3::text[])
"""

_STAGE = """
INSERT INTO version (collection, document_key, job_id, state, erased, sha256, size_bytes, file_name, metadata, tags,
  pipeline_version, model_fingerprint, part_of, media_type, page_count, page_total, chunk_count, char_count, properties)
SELECT $1::text, sent.document_key, $2::text, 'STAGED', 0, sent.sha256, sent.size_bytes, sent.document_key,
  sent.metadata, sent.tags, $3::text, $4::text, $5::text, '', 0, 0, 0, 0, '{}'
FROM unnest($6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[]) WITH ORDINALITY
  AS sent (document_key, sha256, size_bytes, metadata, tags, place)
ORDER BY sent.place RETURNING document_key, version_id
"""

# Entries of the change log in the order of the texts.
_PUBLISH = f"""
WITH sent AS (
  SELECT * FROM unnest($5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[],
    $12::text[]) WITH ORDINALITY
    AS sent (version_id, document_key, document_id, number, media_type, chunk_count, char_count, properties, place)),
logged AS (
  INSERT INTO change (sequence, kind, collection, document_id, version_id, change_time)
  SELECT last.sequence + sent.place, 'PUBLISHED', $1::text, sent.document_id, sent.version_id, $4::float8
  FROM sent, ({LAST_SEQUENCE}) AS last (sequence) RETURNING sequence, version_id),
made AS (
  UPDATE version SET state = 'CURRENT', document_id = sent.document_id, number = sent.number,
    sequence = logged.sequence, publish_time = $4::float8, media_type = sent.media_type, page_count = 1, page_total = 1,
    chunk_count = sent.chunk_count, char_count = sent.char_count, properties = sent.properties
  FROM sent JOIN logged ON logged.version_id = sent.version_id
  WHERE version.version_id = sent.version_id AND version.state = 'STAGED' AND version.job_id = $2::text)
INSERT INTO document (collection, document_id, document_key, current_version_id, number, admission, create_time,
  update_time)
SELECT $1::text, sent.document_id, sent.document_key, sent.version_id, sent.number, $3::bigint, $4::float8, $4::float8
FROM sent
ON CONFLICT (collection, document_id) DO UPDATE SET current_version_id = excluded.current_version_id,
  number = excluded.number, admission = excluded.admission, update_time = excluded.update_time
"""

_COLLECTION = "INSERT INTO collection VALUES ($1, $2) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a text of the batch meets."""

    superseded: bool  # something asked for after the job was published or deleted for its key
    document_id: str | None  # of the document that stands, as is what follows
    number: int | None
    current_version_id: int | None


@dataclass(frozen=True, slots=True)
class TextBatch:
    """One transaction of a job that takes texts in, each under a key of its own. The keys are locked."""

    connection: Connection
    order: Order  # of the job
    admission: int
    pipeline: Pipeline
    now: float

    async def ground(self, items: Iterable[TextItem]) -> dict[str, Ground]:
        """By document key."""
        keys = [item.document_key for item in items]
        rows = await self.connection.fetch(_GROUND, self.order.collection, keys, self.admission)
        return {row[0]: Ground(*row[1:]) for row in map(tuple, rows)}

    async def answer_to(self, items: Sequence[TextItem]) -> None:
        """The documents stand as they were sent: what was asked for earlier can no longer replace them."""
        if items:
            keys = [item.document_key for item in items]
            await self.connection.execute(_ANSWER_TO, self.admission, self.order.collection, keys)

    async def publish(self, texts: Sequence[PreparedText], ground: dict[str, Ground]) -> None:
        """Make them the documents."""
        if not texts:
            return
        connection, order = self.connection, self.order
        await connection.execute(_COLLECTION, order.collection, self.now)
        version_ids = await self._stage(texts)
        before = [ground[text.item.document_key] for text in texts]
        await retire_versions(connection, [one.current_version_id for one in before if one.current_version_id])
        rows = [
            (
                version_ids[text.item.document_key],
                text.item.document_key,
                standing.document_id or str(uuid_utils.uuid7()),
                (standing.number or 0) + 1,
                text.summary.media_type,
                text.summary.chunk_count,
                text.summary.char_count,
                to_json(dict(text.summary.properties)),
            )
            for text, standing in zip(texts, before, strict=True)
        ]
        # Everything that takes long is done: from now on others wait for the change log.
        await lock_change_log(connection)
        values = (order.collection, order.job_id, self.admission, self.now)
        await connection.execute(_PUBLISH, *values, *zip(*rows, strict=True))

    async def _stage(self, texts: Sequence[PreparedText]) -> dict[str, int]:
        """Versions with their pages and chunks, not yet to be found; their ids by document key."""
        order, pipeline = self.order, self.pipeline
        made_with = (pipeline.version, pipeline.model_fingerprint, order.sha256)
        rows = [
            (item.document_key, item.sha256, len(item.encoded), item.metadata_json, to_json(item.tags))
            for item in (text.item for text in texts)
        ]
        staged = await self.connection.fetch(
            _STAGE, order.collection, order.job_id, *made_with, *zip(*rows, strict=True)
        )
        ids: dict[str, int] = dict(map(tuple, staged))
        with_ids = [(ids[text.item.document_key], text) for text in texts]
        pages = [(version_id, place, *page) for version_id, text in with_ids for place, page in enumerate(text.pages)]
        await self.connection.copy_records_to_table("page", records=pages, columns=PAGE_COLUMNS)
        chunks = [chunk_row(version_id, order.collection, c) for version_id, text in with_ids for c in text.chunks]
        await self.connection.copy_records_to_table("chunk", records=chunks, columns=CHUNK_COLUMNS)
        return ids


async def standing_keys(
    connection: Connection, collection: str, items: Sequence[TextItem], pipeline: Pipeline
) -> frozenset[str]:
    """The keys of those whose documents are the same already. No title stands for whatever title it has."""
    keys, hashes = [item.document_key for item in items], [item.sha256 for item in items]
    rows = await connection.fetch(_AS_SENT, collection, keys, hashes, pipeline.version, pipeline.model_fingerprint)
    found = ((items[place - 1], known) for place, *known in map(tuple, rows))
    return frozenset(item.document_key for item, known in found if _is_as_sent(item, *known))


def _is_as_sent(item: TextItem, metadata: str, tags: str, media_type: str, properties: str) -> bool:
    same_words = same_metadata(item.metadata_json, metadata) and set(item.tags) == set(json.loads(tags))
    title = json.loads(properties).get("title", "")
    return same_words and item.media_type == media_type and item.title in {"", title}
