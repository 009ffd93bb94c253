"""The change log: its one way of growing, and what its followers read."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import Sequence

import apsw
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.tables.rows import (
    DOCUMENT_COLUMNS,
    PASSAGE_COLUMNS,
    attributes_from_row,
    change_from_row,
    indexed_chunk_from_row,
    passage_from_row,
    segment_from_row,
    to_json,
)
from rag_server.domain.document import Change, ChangeKind, IndexedChunk, Passage
from rag_server.domain.filter import Attributes
from rag_server.domain.segment import StoredSegment
from storage.sqlite import Database

LAST_SEQUENCE = "SELECT coalesce(max(sequence), 0) FROM change"

# The number is taken inside the writing transaction, so an undone one leaves no gap.
_APPEND = f"""
INSERT INTO change (sequence, kind, collection, document_id, version_id, change_time)
VALUES (({LAST_SEQUENCE}) + 1, ?, ?, ?, ?, ?) RETURNING sequence
"""

_CHANGES = """
SELECT sequence, kind, collection, document_id, version_id, segment_id, change_time FROM change
WHERE sequence > ? ORDER BY sequence LIMIT ?
"""

_IS_GROWING = "SELECT EXISTS (SELECT 1 FROM job WHERE state IN ('QUEUED', 'RUNNING'))"

_CHUNKS_OF = """
SELECT c.chunk_id, c.collection, d.document_id, c.version_id, c.text, c.headings,
  coalesce(nullif(json_extract(v.properties, '$.title'), ''), v.file_name), c.vector, c.page_first,
  c.page_last
FROM document d JOIN version v ON v.version_id = d.current_version_id JOIN chunk c ON c.version_id = v.version_id
WHERE d.current_version_id = ? ORDER BY c.ordinal
"""

_ATTRIBUTES = f"""
SELECT v.version_id, {DOCUMENT_COLUMNS} FROM document d JOIN version v ON v.version_id = d.current_version_id
WHERE d.current_version_id IN (SELECT value FROM json_each(?))
"""

_CURRENT_VERSION_IDS = "SELECT current_version_id FROM document ORDER BY current_version_id"

_CURRENT_CHUNK_IDS = """
SELECT c.chunk_id FROM document d JOIN chunk c ON c.version_id = d.current_version_id ORDER BY c.chunk_id
"""

_SEGMENT = """
SELECT segment_id, collection, sha256, size_bytes, row_count FROM segment WHERE segment_id = ? AND state = 'CURRENT'
"""

_PASSAGES = f"""
SELECT {PASSAGE_COLUMNS} FROM chunk c JOIN document d ON d.current_version_id = c.version_id
JOIN version v ON v.version_id = c.version_id WHERE c.chunk_id IN (SELECT value FROM json_each(?))
"""


def append_change(connection: apsw.Connection, kind: ChangeKind, what: tuple[str, str, int], now: float) -> int:
    """Add an entry for `what`: collection, document id, version id. Returns its sequence."""
    return int(connection.execute(_APPEND, (kind, *what, now)).get)


class SqliteChangeLog:
    """Implements the port ChangeLog: everything runs in the caller's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_sequence(self) -> int:
        return self._database.read_here(lambda connection: int(connection.execute(LAST_SEQUENCE).get))

    def changes(self, after: int, limit: int) -> list[Change]:
        def work(connection: apsw.Connection) -> list[Change]:
            return [change_from_row(row) for row in connection.execute(_CHANGES, (after, limit))]

        return self._database.read_here(work)

    def is_growing(self) -> bool:
        return self._database.read_here(lambda connection: bool(connection.execute(_IS_GROWING).get))

    def chunks_of(self, version_ids: Sequence[int], most: int) -> dict[int, list[IndexedChunk]]:
        def work(connection: apsw.Connection) -> dict[int, list[IndexedChunk]]:
            found: dict[int, list[IndexedChunk]] = {}
            count = 0
            for version_id in version_ids:
                rows = connection.execute(_CHUNKS_OF, (int(version_id),))
                found[version_id] = [indexed_chunk_from_row(row) for row in rows]
                count += len(found[version_id])
                if count >= most:
                    break
            return found

        return self._database.read_here(work)

    def attributes_of(self, version_ids: Sequence[int]) -> dict[int, Attributes]:
        def work(connection: apsw.Connection) -> dict[int, Attributes]:
            wanted = to_json([int(version_id) for version_id in version_ids])
            found = (attributes_from_row(row) for row in connection.execute(_ATTRIBUTES, (wanted,)))
            return {attributes.version_id: attributes for attributes in found}

        return self._database.read_here(work)

    def segment(self, segment_id: int) -> StoredSegment | None:
        def work(connection: apsw.Connection) -> StoredSegment | None:
            row = connection.execute(_SEGMENT, (segment_id,)).fetchone()
            return None if row is None else segment_from_row(row)

        return self._database.read_here(work)

    def current_chunk_ids(self) -> NDArray[np.int64]:
        return self._ids(_CURRENT_CHUNK_IDS)

    def current_version_ids(self) -> NDArray[np.int64]:
        return self._ids(_CURRENT_VERSION_IDS)

    def passages(self, chunk_ids: Sequence[int]) -> dict[int, Passage]:
        def work(connection: apsw.Connection) -> dict[int, Passage]:
            wanted = to_json([int(chunk_id) for chunk_id in chunk_ids])
            found = (passage_from_row(row) for row in connection.execute(_PASSAGES, (wanted,)))
            return {passage.chunk_id: passage for passage in found}

        return self._database.read_here(work)

    def _ids(self, query: str) -> NDArray[np.int64]:
        def work(connection: apsw.Connection) -> NDArray[np.int64]:
            return np.fromiter((row[0] for row in connection.execute(query)), np.int64)

        return self._database.read_here(work)
