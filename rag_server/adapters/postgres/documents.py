"""Documents and collections, and how they go."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from typing import Any

from rag_server.adapters.postgres.changes import LAST_SEQUENCE, append_change
from rag_server.adapters.postgres.claims import OPEN
from rag_server.adapters.postgres.locks import lock_change_log, lock_collection, lock_document
from rag_server.adapters.postgres.steps import durably
from rag_server.adapters.tables.rows import DOCUMENT_COLUMNS, Row, collection_from_row, document_from_row
from rag_server.domain.document import ChangeKind, Collection, Document
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import execute, fetch, fetch_row, fetch_value

_DOCUMENT = f"SELECT {DOCUMENT_COLUMNS} FROM document d JOIN version v ON v.version_id = d.current_version_id"
_BY_ID = f"{_DOCUMENT} WHERE d.document_id = :document_id AND (:collection::text = '' OR d.collection = :collection)"
_BY_KEY = f"{_DOCUMENT} WHERE d.collection = $1 AND d.document_key > $2 ORDER BY d.document_key LIMIT $3"

_COLLECTION = """
SELECT c.collection, count(v.version_id), coalesce(sum(v.chunk_count), 0)::bigint, c.create_time
FROM collection c LEFT JOIN version v ON v.collection = c.collection AND v.state = 'CURRENT'
"""
_ONE_COLLECTION = f"{_COLLECTION} WHERE c.collection = :collection GROUP BY c.collection"
_COLLECTIONS = f"{_COLLECTION} WHERE c.collection > $1 GROUP BY c.collection ORDER BY c.collection LIMIT $2"

# What a delete is about.
_THE_DOCUMENT = "collection = :collection AND document_key = :document_key"
_THE_COLLECTION = "collection = :collection"

# No worker begins a version, or stages into one, between the cancelling and the erasing.
_HOLD_JOBS = f"SELECT admission FROM job WHERE {OPEN} AND"

_CANCEL_JOBS = f"""
UPDATE job SET state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE state END,
  end_time = CASE state WHEN 'QUEUED' THEN :now::float8 END, next_attempt_time = NULL, cancel_requested = 1,
  revision = revision + 1, update_time = :now::float8
WHERE {OPEN} AND cancel_requested = 0 AND
"""

# A running job finds out by itself; what it stages until then is of no use to others.
_ERASE_VERSIONS = """
UPDATE version SET erased = 1, state = CASE
  WHEN state = 'STAGED' AND EXISTS (SELECT 1 FROM job WHERE job.job_id = version.job_id AND job.state = 'RUNNING')
  THEN 'STAGED' ELSE 'RETIRED' END
WHERE
"""

_BURY = """
INSERT INTO tombstone (collection, document_key, document_id, admission, sequence, delete_time)
VALUES (:collection, :document_key, :document_id, (SELECT coalesce(max(admission), 0) FROM job), :sequence,
  :now::float8)
ON CONFLICT (collection, document_key) DO UPDATE SET document_id = excluded.document_id,
  admission = excluded.admission, sequence = excluded.sequence, delete_time = excluded.delete_time
"""

_DELETED_JUST_NOW = "SELECT sequence FROM tombstone WHERE document_id = :document_id AND delete_time = :now"
_COLLECTION_DELETED_JUST_NOW = """
SELECT sequence, (SELECT count(*) FROM change WHERE kind = 'DELETED' AND collection = :collection
                  AND change_time = :now::float8)
FROM tombstone WHERE collection = :collection AND document_key = '' AND delete_time = :now::float8
"""

_LOG_ALL_DELETED = f"""
INSERT INTO change (sequence, kind, collection, document_id, version_id, change_time)
SELECT ({LAST_SEQUENCE}) + gone.number, 'DELETED', :collection, gone.document_id, 0, :now::float8
FROM unnest(:document_ids::text[]) WITH ORDINALITY AS gone (document_id, number)
"""


class PostgresDocuments:
    """Implements the port Documents."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def get(self, document_id: str, collection: str = "") -> Document:
        async def work(connection: Connection) -> Row | None:
            return await _document_row(connection, document_id, collection)

        row = await self._database.read(work)
        if row is None:
            raise no_document(document_id)
        return document_from_row(row)

    async def list_documents(self, collection: str, after_key: str, limit: int) -> list[Document]:
        async def work(connection: Connection) -> list[Document]:
            await existing_collection(connection, collection)
            rows = await connection.fetch(_BY_KEY, collection, after_key, limit)
            return [document_from_row(tuple(row)) for row in rows]

        return await self._database.read(work)

    async def delete(self, document_id: str, collection: str, now: float) -> int:
        async def work(connection: Connection) -> int:
            return await _delete(connection, document_id, collection, now)

        return await durably(self._database, "delete", work)

    async def get_collection(self, collection: str) -> Collection:
        async def work(connection: Connection) -> Collection:
            return await existing_collection(connection, collection)

        return await self._database.read(work)

    async def list_collections(self, after: str, limit: int) -> list[Collection]:
        async def work(connection: Connection) -> list[Collection]:
            return [collection_from_row(tuple(row)) for row in await connection.fetch(_COLLECTIONS, after, limit)]

        return await self._database.read(work)

    async def delete_collection(self, collection: str, now: float) -> tuple[int, int]:
        async def work(connection: Connection) -> tuple[int, int]:
            return await _delete_collection(connection, collection, now)

        return await durably(self._database, "delete_collection", work)


async def _document_row(connection: Connection, document_id: str, collection: str) -> Row | None:
    return await fetch_row(connection, _BY_ID, {"document_id": document_id, "collection": collection})


async def existing_collection(connection: Connection, collection: str) -> Collection:
    """The collection. Raises CollectionNotFound."""
    row = await fetch_row(connection, _ONE_COLLECTION, {"collection": collection})
    if row is None:
        raise _no_collection(collection)
    return collection_from_row(row)


async def _delete(connection: Connection, document_id: str, collection: str, now: float) -> int:
    row = await _document_row(connection, document_id, collection)
    if row is not None:
        document = document_from_row(row)
        await lock_document(connection, document.collection, document.document_key)
        row = await _document_row(connection, document_id, collection)  # another delete may have been faster
    if row is None:
        # Gone at this very moment: this work has run before, and its commit succeeded after all.
        sequence = await fetch_value(connection, _DELETED_JUST_NOW, {"document_id": document_id, "now": now})
        if sequence is None:
            raise no_document(document_id)
        return int(sequence)
    what = {"collection": document.collection, "document_key": document.document_key, "document_id": document_id}
    await _clear(connection, _THE_DOCUMENT, {**what, "now": now})
    sequence = await append_change(connection, ChangeKind.DELETED, (document.collection, document_id, 0), now)
    await execute(connection, _BURY, {**what, "now": now, "sequence": sequence})
    return sequence


async def _delete_collection(connection: Connection, collection: str, now: float) -> tuple[int, int]:
    bindings: dict[str, Any] = {"collection": collection, "document_key": "", "document_id": "", "now": now}
    await lock_collection(connection, collection)
    if await fetch_row(connection, _ONE_COLLECTION, bindings) is None:
        row = await fetch_row(connection, _COLLECTION_DELETED_JUST_NOW, bindings)
        if row is None:
            raise _no_collection(collection)
        return row[0], row[1]
    deleted = await _clear(connection, _THE_COLLECTION, bindings)
    await execute(connection, "UPDATE segment SET state = 'RETIRED' WHERE collection = :collection", bindings)
    await execute(connection, "DELETE FROM collection WHERE collection = :collection", bindings)
    await lock_change_log(connection)
    await execute(connection, _LOG_ALL_DELETED, {**bindings, "document_ids": deleted})
    sequence = int(await connection.fetchval(LAST_SEQUENCE))
    await execute(connection, _BURY, {**bindings, "sequence": sequence})
    return sequence, len(deleted)


async def _clear(connection: Connection, meant: str, bindings: dict[str, Any]) -> list[str]:
    """Remove what the delete is about; its chunks go later, in batches. The ids of the documents, by key."""
    gone = await fetch(connection, f"DELETE FROM document WHERE {meant} RETURNING document_key, document_id", bindings)
    await fetch(connection, f"{_HOLD_JOBS} {meant} ORDER BY admission FOR NO KEY UPDATE", bindings)
    await execute(connection, f"{_CANCEL_JOBS} {meant}", bindings)
    await execute(connection, f"{_ERASE_VERSIONS} {meant}", bindings)
    await execute(connection, f"DELETE FROM history WHERE {meant}", bindings)
    return [str(document_id) for _, document_id in sorted(map(tuple, gone))]


def no_document(document_id: str) -> DocumentNotFound:
    """What is raised where a document is not there."""
    return DocumentNotFound(name=f"documents/{document_id}")


def _no_collection(collection: str) -> CollectionNotFound:
    return CollectionNotFound(name=f"collections/{collection}")
