"""Documents and collections, and how they go."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from typing import Any

import apsw

from rag_server.adapters.sqlite.changes import LAST_SEQUENCE, append_change
from rag_server.adapters.sqlite.claims import OPEN
from rag_server.adapters.sqlite.steps import durably
from rag_server.adapters.tables.rows import DOCUMENT_COLUMNS, Row, collection_from_row, document_from_row
from rag_server.domain.document import ChangeKind, Collection, Document
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound
from storage.sqlite import Database

_DOCUMENT = f"SELECT {DOCUMENT_COLUMNS} FROM document d JOIN version v ON v.version_id = d.current_version_id"
_BY_ID = f"{_DOCUMENT} WHERE d.document_id = :document_id AND (:collection = '' OR d.collection = :collection)"
_BY_KEY = f"{_DOCUMENT} WHERE d.collection = ? AND d.document_key > ? ORDER BY d.document_key LIMIT ?"

_COLLECTION = """
SELECT c.collection, count(v.version_id), coalesce(sum(v.chunk_count), 0), c.create_time
FROM collection c LEFT JOIN version v ON v.collection = c.collection AND v.state = 'CURRENT'
"""
_ONE_COLLECTION = f"{_COLLECTION} WHERE c.collection = ? GROUP BY c.collection"
_COLLECTIONS = f"{_COLLECTION} WHERE c.collection > ? GROUP BY c.collection ORDER BY c.collection LIMIT ?"

# What a delete is about.
_THE_DOCUMENT = "collection = :collection AND document_key = :document_key"
_THE_COLLECTION = "collection = :collection"

_CANCEL_JOBS = f"""
UPDATE job SET state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE state END,
  end_time = CASE state WHEN 'QUEUED' THEN :now END, next_attempt_time = NULL, cancel_requested = 1,
  revision = revision + 1, update_time = :now
WHERE {OPEN} AND NOT cancel_requested AND
"""

# A running job finds out by itself; what it stages until then is of no use to others.
_ERASE_VERSIONS = """
UPDATE version SET erased = 1, state = CASE
  WHEN state = 'STAGED' AND EXISTS (SELECT 1 FROM job WHERE job.job_id = version.job_id AND job.state = 'RUNNING')
  THEN 'STAGED' ELSE 'RETIRED' END
WHERE
"""

_BURY = """
INSERT OR REPLACE INTO tombstone (collection, document_key, document_id, admission, sequence, delete_time)
VALUES (:collection, :document_key, :document_id, (SELECT coalesce(max(admission), 0) FROM job), :sequence, :now)
"""

_DELETED_JUST_NOW = "SELECT sequence FROM tombstone WHERE document_id = ? AND delete_time = ?"
_COLLECTION_DELETED_JUST_NOW = """
SELECT sequence, (SELECT count(*) FROM change WHERE kind = 'DELETED' AND collection = :collection
                  AND change_time = :now)
FROM tombstone WHERE collection = :collection AND document_key = '' AND delete_time = :now
"""

_LOG_ALL_DELETED = f"""
INSERT INTO change (sequence, kind, collection, document_id, version_id, change_time)
SELECT ({LAST_SEQUENCE}) + row_number() OVER (ORDER BY document_key), 'DELETED', collection, document_id, 0, :now
FROM document WHERE collection = :collection
"""


class SqliteDocuments:
    """Implements the port Documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, document_id: str, collection: str = "") -> Document:
        row = await self._database.read(lambda connection: _document_row(connection, document_id, collection))
        if row is None:
            raise no_document(document_id)
        return document_from_row(row)

    async def list_documents(self, collection: str, after_key: str, limit: int) -> list[Document]:
        def work(connection: apsw.Connection) -> list[Document]:
            existing_collection(connection, collection)
            return [document_from_row(row) for row in connection.execute(_BY_KEY, (collection, after_key, limit))]

        return await self._database.read(work)

    async def delete(self, document_id: str, collection: str, now: float) -> int:
        def work(connection: apsw.Connection) -> int:
            return _delete(connection, document_id, collection, now)

        return await durably(self._database, "delete", work)

    async def get_collection(self, collection: str) -> Collection:
        return await self._database.read(lambda connection: existing_collection(connection, collection))

    async def list_collections(self, after: str, limit: int) -> list[Collection]:
        def work(connection: apsw.Connection) -> list[Collection]:
            return [collection_from_row(row) for row in connection.execute(_COLLECTIONS, (after, limit))]

        return await self._database.read(work)

    async def delete_collection(self, collection: str, now: float) -> tuple[int, int]:
        def work(connection: apsw.Connection) -> tuple[int, int]:
            return _delete_collection(connection, collection, now)

        return await durably(self._database, "delete_collection", work)


def _document_row(connection: apsw.Connection, document_id: str, collection: str) -> Row | None:
    return connection.execute(_BY_ID, {"document_id": document_id, "collection": collection}).fetchone()


def existing_collection(connection: apsw.Connection, collection: str) -> Collection:
    """The collection. Raises CollectionNotFound."""
    row = connection.execute(_ONE_COLLECTION, (collection,)).fetchone()
    if row is None:
        raise _no_collection(collection)
    return collection_from_row(row)


def _delete(connection: apsw.Connection, document_id: str, collection: str, now: float) -> int:
    row = _document_row(connection, document_id, collection)
    if row is None:
        # Gone at this very moment: this work has run before, and its commit succeeded after all.
        sequence = connection.execute(_DELETED_JUST_NOW, (document_id, now)).get
        if sequence is None:
            raise no_document(document_id)
        return int(sequence)
    document = document_from_row(row)
    sequence = append_change(connection, ChangeKind.DELETED, (document.collection, document_id, 0), now)
    bindings = {
        "collection": document.collection,
        "document_key": document.document_key,
        "document_id": document_id,
        "sequence": sequence,
        "now": now,
    }
    _clear(connection, _THE_DOCUMENT, bindings)
    return sequence


def _delete_collection(connection: apsw.Connection, collection: str, now: float) -> tuple[int, int]:
    bindings = {"collection": collection, "document_key": "", "document_id": "", "now": now}
    if connection.execute(_ONE_COLLECTION, (collection,)).fetchone() is None:
        row = connection.execute(_COLLECTION_DELETED_JUST_NOW, bindings).fetchone()
        if row is None:
            raise _no_collection(collection)
        return row[0], row[1]
    connection.execute(_LOG_ALL_DELETED, bindings)
    deleted = connection.changes()
    sequence = int(connection.execute(LAST_SEQUENCE).get)
    _clear(connection, _THE_COLLECTION, {**bindings, "sequence": sequence})
    connection.execute("DELETE FROM collection WHERE collection = ?", (collection,))
    connection.execute("UPDATE segment SET state = 'RETIRED' WHERE collection = ?", (collection,))
    return sequence, deleted


def _clear(connection: apsw.Connection, meant: str, bindings: dict[str, Any]) -> None:
    """Remove what the delete is about; its chunks go later, in batches."""
    connection.execute(f"DELETE FROM document WHERE {meant}", bindings)
    connection.execute(f"{_CANCEL_JOBS} {meant}", bindings)
    connection.execute(f"{_ERASE_VERSIONS} {meant}", bindings)
    connection.execute(f"DELETE FROM history WHERE {meant}", bindings)
    connection.execute(_BURY, bindings)


def no_document(document_id: str) -> DocumentNotFound:
    """What is raised where a document is not there."""
    return DocumentNotFound(name=f"documents/{document_id}")


def _no_collection(collection: str) -> CollectionNotFound:
    return CollectionNotFound(name=f"collections/{collection}")
