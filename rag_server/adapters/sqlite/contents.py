"""Reading documents: chunks, text, versions. Each method is one snapshot."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import Iterable, Sequence
from typing import Any

import apsw

from rag_server.adapters.sqlite.documents import existing_collection, no_document
from rag_server.adapters.tables.rows import DOCUMENT_COLUMNS, Row, chunk_from_row, document_from_row
from rag_server.domain.chunk import Chunk
from rag_server.domain.content import DocumentVersion, Place, StandingDocument, TextPage
from rag_server.domain.document import Document
from storage.sqlite import Database

_STANDING = f"""
SELECT v.version_id, v.part_of, {DOCUMENT_COLUMNS}
FROM document d JOIN version v ON v.version_id = d.current_version_id
"""
_BY_KEY = f"{_STANDING} WHERE d.collection = ? AND d.document_key > ? ORDER BY d.document_key LIMIT ?"
_BY_ID = f"{_STANDING} WHERE d.document_id = ?1 AND (?2 = '' OR d.collection = ?2)"

_CHUNK = """
SELECT ordinal, text, char_start, char_end, page_first, page_last, headings FROM chunk WHERE version_id = :version_id
"""
_CHUNKS_FROM = f"{_CHUNK} AND ordinal >= :first ORDER BY ordinal LIMIT :limit"

# A citation between two chunks has the last one before it.
_TOUCHED = """
SELECT coalesce(min(ordinal), (SELECT max(ordinal) FROM chunk WHERE version_id = :version_id
  AND char_start <= :char_start), 0), coalesce(max(ordinal), (SELECT max(ordinal) FROM chunk
  WHERE version_id = :version_id AND char_start <= :char_start), 0)
FROM chunk WHERE version_id = :version_id AND char_start < :char_end AND char_end > :char_start
"""

# Only what is asked for is taken out of a page, which may be a whole file.
_TEXT = """
SELECT page_number, max(char_start, :char_start), substr(text, max(:char_start - char_start, 0) + 1,
  :char_end - max(char_start, :char_start))
FROM page WHERE version_id = :version_id AND char_start < :char_end AND ordinal >= coalesce(
  (SELECT max(ordinal) FROM page WHERE version_id = :version_id AND char_start <= :char_start), 0)
ORDER BY ordinal
"""

_VERSIONS = """
SELECT number, sha256, size_bytes, file_name, media_type, chunk_count, publish_time, job_id, 1 AS is_current
FROM version WHERE version_id = :version_id AND number < :before
UNION ALL
SELECT number, sha256, size_bytes, file_name, media_type, chunk_count, publish_time, job_id, 0
FROM history WHERE document_id = :document_id AND number < :before
ORDER BY number DESC LIMIT :limit
"""
_ALL = 1 << 62


class SqliteContents:
    """Implements the port Contents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing_after(self, collection: str, after_key: str, limit: int) -> list[StandingDocument]:
        def work(connection: apsw.Connection) -> list[StandingDocument]:
            existing_collection(connection, collection)
            rows = connection.execute(_BY_KEY, (collection, after_key, limit))
            return [StandingDocument(row[0], document_from_row(row[2:])) for row in rows]

        return await self._database.read(work)

    async def chunks_from(
        self, document_id: str, collection: str, first: int, limit: int
    ) -> tuple[Document, Sequence[Chunk]]:
        def work(connection: apsw.Connection) -> tuple[Document, Sequence[Chunk]]:
            row = _row(connection, document_id, collection)
            return document_from_row(row[2:]), _chunks(connection, row[0], first, limit)

        return await self._database.read(work)

    async def chunks_around(self, document_id: str, collection: str, place: Place) -> tuple[Document, Sequence[Chunk]]:
        def work(connection: apsw.Connection) -> tuple[Document, Sequence[Chunk]]:
            row = _row(connection, document_id, collection)
            bindings = {"version_id": row[0], "char_start": place.char_start, "char_end": place.char_end}
            touched: Any = connection.execute(_TOUCHED, bindings).fetchone()
            first, last = max(0, touched[0] - place.before), touched[1] + place.after
            return document_from_row(row[2:]), _chunks(connection, row[0], first, last - first + 1)

        return await self._database.read(work)

    async def text(
        self, document_id: str, collection: str, char_start: int, char_end: int
    ) -> tuple[Document, Sequence[TextPage]]:
        def work(connection: apsw.Connection) -> tuple[Document, Sequence[TextPage]]:
            row = _row(connection, document_id, collection)
            bindings = {"version_id": row[0], "char_start": char_start, "char_end": char_end}
            pages = _pages(connection.execute(_TEXT, bindings))
            return document_from_row(row[2:]), [page for page in pages if page.text]

        return await self._database.read(work)

    async def versions(self, document_id: str, collection: str, before: int, limit: int) -> list[DocumentVersion]:
        def work(connection: apsw.Connection) -> list[DocumentVersion]:
            version_id = _row(connection, document_id, collection)[0]
            bindings = {"version_id": version_id, "document_id": document_id, "before": before or _ALL, "limit": limit}
            rows = connection.execute(_VERSIONS, bindings)
            return [DocumentVersion(*[*row[:8], bool(row[8])]) for row in rows]

        return await self._database.read(work)

    async def origin(self, document_id: str, collection: str) -> tuple[Document, str]:
        row = await self._database.read(lambda connection: _row(connection, document_id, collection))
        return document_from_row(row[2:]), row[1]


def _row(connection: apsw.Connection, document_id: str, collection: str) -> Row:
    """Version id, file of texts, DOCUMENT_COLUMNS. Raises DocumentNotFound."""
    row: Row | None = connection.execute(_BY_ID, (document_id, collection)).fetchone()
    if row is None:
        raise no_document(document_id)
    return row


def _chunks(connection: apsw.Connection, version_id: int, first: int, limit: int) -> list[Chunk]:
    bindings = {"version_id": version_id, "first": first, "limit": limit}
    return [chunk_from_row(row) for row in connection.execute(_CHUNKS_FROM, bindings)]


def _pages(rows: Iterable[Any]) -> list[TextPage]:
    return [TextPage(*row) for row in rows]
