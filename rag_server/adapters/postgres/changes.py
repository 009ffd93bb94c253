"""The change log: its one way of growing, and what its followers read."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postgres.locks import lock_change_log
from rag_server.adapters.tables.rows import (
    DOCUMENT_COLUMNS,
    PASSAGE_COLUMNS,
    Row,
    attributes_from_row,
    change_from_row,
    indexed_chunk_from_row,
    passage_from_row,
    segment_from_row,
)
from rag_server.domain.document import Change, ChangeKind, IndexedChunk, Passage
from rag_server.domain.filter import Attributes
from rag_server.domain.segment import StoredSegment
from storage.postgres import Connection, PostgresDatabase

LAST_SEQUENCE = "SELECT coalesce(max(sequence), 0) FROM change"

_APPEND = f"""
INSERT INTO change (sequence, kind, collection, document_id, version_id, change_time)
VALUES (({LAST_SEQUENCE}) + 1, $1, $2, $3, $4, $5) RETURNING sequence
"""

_CHANGES = """
SELECT sequence, kind, collection, document_id, version_id, segment_id, change_time FROM change
WHERE sequence > $1 ORDER BY sequence LIMIT $2
"""

_IS_GROWING = "SELECT EXISTS (SELECT 1 FROM job WHERE state IN ('QUEUED', 'RUNNING'))"

_DESCRIBED = """
SELECT v.version_id, v.properties, v.file_name, v.chunk_count
FROM document d JOIN version v ON v.version_id = d.current_version_id WHERE d.current_version_id = ANY($1::bigint[])
"""

_CHUNKS_OF = """
SELECT c.chunk_id, c.collection, d.document_id, c.version_id, c.text, c.headings, c.vector, c.page_first,
  c.page_last
FROM document d JOIN chunk c ON c.version_id = d.current_version_id
WHERE d.current_version_id = ANY($1::bigint[]) ORDER BY c.version_id, c.ordinal
"""

_ATTRIBUTES = f"""
SELECT v.version_id, {DOCUMENT_COLUMNS} FROM document d JOIN version v ON v.version_id = d.current_version_id
WHERE d.current_version_id = ANY($1::bigint[])
"""

_CURRENT_VERSION_IDS = "SELECT current_version_id FROM document ORDER BY current_version_id"

_CURRENT_CHUNK_IDS = """
SELECT c.chunk_id FROM document d JOIN chunk c ON c.version_id = d.current_version_id ORDER BY c.chunk_id
"""

_SEGMENT = """
SELECT segment_id, collection, sha256, size_bytes, row_count FROM segment WHERE segment_id = $1 AND state = 'CURRENT'
"""

_PASSAGES = f"""
SELECT {PASSAGE_COLUMNS} FROM chunk c JOIN document d ON d.current_version_id = c.version_id
JOIN version v ON v.version_id = c.version_id WHERE c.chunk_id = ANY($1::bigint[])
"""


async def append_change(connection: Connection, kind: ChangeKind, what: tuple[str, str, int], now: float) -> int:
    """Add an entry for `what`: collection, document id, version id. Returns its sequence.

    From here on all other writers of the log wait for the end of this transaction, so that whoever sees an entry sees
    all before it: call this last.
    """
    await lock_change_log(connection)
    return int(await connection.fetchval(_APPEND, kind, *what, now))


class PostgresChangeLog:
    """Implements the port ChangeLog: the calling thread waits."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def last_sequence(self) -> int:
        async def work(connection: Connection) -> int:
            return int(await connection.fetchval(LAST_SEQUENCE))

        return self._database.read_here(work)

    def changes(self, after: int, limit: int) -> list[Change]:
        return [change_from_row(row) for row in self._rows(_CHANGES, after, limit)]

    def is_growing(self) -> bool:
        return bool(self._rows(_IS_GROWING)[0][0])

    def chunks_of(self, version_ids: Sequence[int], most: int) -> dict[int, list[IndexedChunk]]:
        async def work(connection: Connection) -> dict[int, list[IndexedChunk]]:
            described = await connection.fetch(_DESCRIBED, [int(version_id) for version_id in version_ids])
            # Not read by the database, whose JSON functions refuse some characters.
            titles = {row[0]: json.loads(row[1]).get("title") or row[2] for row in described}
            first = _first(version_ids, {row[0]: row[3] for row in described}, most)
            found: dict[int, list[IndexedChunk]] = {version_id: [] for version_id in first}
            for row in map(tuple, await connection.fetch(_CHUNKS_OF, list(found))):
                version_id = row[3]
                found[version_id].append(indexed_chunk_from_row((*row[:6], titles[version_id], *row[6:])))
            return found

        return self._database.read_here(work)

    def attributes_of(self, version_ids: Sequence[int]) -> dict[int, Attributes]:
        rows = self._rows(_ATTRIBUTES, [int(version_id) for version_id in version_ids])
        found = (attributes_from_row(row) for row in rows)
        return {attributes.version_id: attributes for attributes in found}

    def segment(self, segment_id: int) -> StoredSegment | None:
        rows = self._rows(_SEGMENT, segment_id)
        return segment_from_row(rows[0]) if rows else None

    def current_chunk_ids(self) -> NDArray[np.int64]:
        return self._ids(_CURRENT_CHUNK_IDS)

    def current_version_ids(self) -> NDArray[np.int64]:
        return self._ids(_CURRENT_VERSION_IDS)

    def passages(self, chunk_ids: Sequence[int]) -> dict[int, Passage]:
        found = (passage_from_row(row) for row in self._rows(_PASSAGES, [int(chunk_id) for chunk_id in chunk_ids]))
        return {passage.chunk_id: passage for passage in found}

    def _ids(self, query: str) -> NDArray[np.int64]:
        return np.fromiter((row[0] for row in self._rows(query)), np.int64)

    def _rows(self, query: str, *values: object) -> list[Row]:
        async def work(connection: Connection) -> list[Row]:
            return [tuple(row) for row in await connection.fetch(query, *values)]

        return self._database.read_here(work)


def _first(version_ids: Sequence[int], counts: Mapping[int, int], most: int) -> list[int]:
    """So many of the versions that `most` chunks are reached."""
    reached = accumulate(counts.get(version_id, 0) for version_id in version_ids)
    return [each for each, count in zip(version_ids, reached, strict=True) if count - counts.get(each, 0) < most]
