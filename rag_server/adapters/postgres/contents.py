"""Reading documents: chunks, text, versions. Each method is one snapshot."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import Sequence

from rag_server.adapters.postgres.documents import existing_collection, no_document
from rag_server.adapters.tables.rows import DOCUMENT_COLUMNS, Row, chunk_from_row, document_from_row
from rag_server.domain.chunk import Chunk
from rag_server.domain.content import DocumentVersion, Place, StandingDocument, TextPage
from rag_server.domain.document import Document
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import fetch, fetch_row

_STANDING = f"""
SELECT v.version_id, v.part_of, {DOCUMENT_COLUMNS}
FROM document d JOIN version v ON v.version_id = d.current_version_id
"""
_BY_KEY = f"{_STANDING} WHERE d.collection = $1 AND d.document_key > $2 ORDER BY d.document_key LIMIT $3"
_BY_ID = f"{_STANDING} WHERE d.document_id = $1 AND ($2::text = '' OR d.collection = $2)"

_CHUNKS_FROM = """
SELECT ordinal, text, char_start, char_end, page_first, page_last, headings FROM chunk
WHERE version_id = $1 AND ordinal >= $2 ORDER BY ordinal LIMIT $3
"""

# A citation between two chunks has the last one before it.
_TOUCHED = """
SELECT coalesce(min(ordinal), (SELECT max(ordinal) FROM chunk WHERE version_id = :version_id
  AND char_start <= :char_start), 0), coalesce(max(ordinal), (SELECT max(ordinal) FROM chunk
  WHERE version_id = :version_id AND char_start <= :char_start), 0)
FROM chunk WHERE version_id = :version_id AND char_start < :char_end AND char_end > :char_start
"""

# Only what is asked for is taken out of a page, which may be a whole file.
_TEXT = """
SELECT page_number, greatest(char_start, :char_start::bigint),
  substr(text, greatest(:char_start::bigint - char_start, 0)::integer + 1,
    greatest(0, least(:char_end::bigint - greatest(char_start, :char_start::bigint), 2147483646))::integer)
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


class PostgresContents:
    """Implements the port Contents."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def standing_after(self, collection: str, after_key: str, limit: int) -> list[StandingDocument]:
        async def work(connection: Connection) -> list[StandingDocument]:
            await existing_collection(connection, collection)
            rows = await connection.fetch(_BY_KEY, collection, after_key, limit)
            return [StandingDocument(row[0], document_from_row(tuple(row)[2:])) for row in rows]

        return await self._database.read(work)

    async def chunks_from(
        self, document_id: str, collection: str, first: int, limit: int
    ) -> tuple[Document, Sequence[Chunk]]:
        async def work(connection: Connection) -> tuple[Document, Sequence[Chunk]]:
            row = await _row(connection, document_id, collection)
            return document_from_row(row[2:]), await _chunks(connection, row[0], first, limit)

        return await self._database.read(work)

    async def chunks_around(self, document_id: str, collection: str, place: Place) -> tuple[Document, Sequence[Chunk]]:
        async def work(connection: Connection) -> tuple[Document, Sequence[Chunk]]:
            row = await _row(connection, document_id, collection)
            bindings = {"version_id": row[0], "char_start": place.char_start, "char_end": place.char_end}
            touched = await fetch_row(connection, _TOUCHED, bindings)
            assert touched is not None  # noqa: S101 - an aggregate has a row
            first, last = max(0, touched[0] - place.before), touched[1] + place.after
            return document_from_row(row[2:]), await _chunks(connection, row[0], first, last - first + 1)

        return await self._database.read(work)

    async def text(
        self, document_id: str, collection: str, char_start: int, char_end: int
    ) -> tuple[Document, Sequence[TextPage]]:
        async def work(connection: Connection) -> tuple[Document, Sequence[TextPage]]:
            row = await _row(connection, document_id, collection)
            bindings = {"version_id": row[0], "char_start": char_start, "char_end": char_end}
            pages = [TextPage(*page) for page in await fetch(connection, _TEXT, bindings)]
            return document_from_row(row[2:]), [page for page in pages if page.text]

        return await self._database.read(work)

    async def versions(self, document_id: str, collection: str, before: int, limit: int) -> list[DocumentVersion]:
        async def work(connection: Connection) -> list[DocumentVersion]:
            version_id = (await _row(connection, document_id, collection))[0]
            bindings = {"version_id": version_id, "document_id": document_id, "before": before or _ALL, "limit": limit}
            rows = await fetch(connection, _VERSIONS, bindings)
            return [DocumentVersion(*[*row[:8], bool(row[8])]) for row in rows]

        return await self._database.read(work)

    async def origin(self, document_id: str, collection: str) -> tuple[Document, str]:
        async def work(connection: Connection) -> Row:
            return await _row(connection, document_id, collection)

        row = await self._database.read(work)
        return document_from_row(row[2:]), row[1]


async def _row(connection: Connection, document_id: str, collection: str) -> Row:
    """Version id, file of texts, DOCUMENT_COLUMNS. Raises DocumentNotFound."""
    row = await connection.fetchrow(_BY_ID, document_id, collection)
    if row is None:
        raise no_document(document_id)
    return tuple(row)


async def _chunks(connection: Connection, version_id: int, first: int, limit: int) -> list[Chunk]:
    rows = await connection.fetch(_CHUNKS_FROM, version_id, first, limit)
    return [chunk_from_row(tuple(row)) for row in rows]
