"""What a transaction locks, so that others see the store as if all had written one after the other.

Everything that is asked about one document key goes one after the other, as does the end of all that writes to the
change log. The order is always the same: the collection, the key, rows of jobs, and the change log last and shortly.
The locks are PostgreSQL's advisory ones; they end with the transaction, after what it wrote can be seen.
"""

from storage.postgres import Connection

_DOCUMENT = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('acervo collection ' || current_schema() || ' ' || $1, 0)),
  pg_advisory_xact_lock(hashtextextended('acervo document ' || current_schema() || ' ' || $1 || '/' || $2, 0))
"""
_COLLECTION = "SELECT pg_advisory_xact_lock(hashtextextended('acervo collection ' || current_schema() || ' ' || $1, 0))"
_CHANGE_LOG = "SELECT pg_advisory_xact_lock(hashtextextended('acervo change log ' || current_schema(), 0))"


async def lock_document(connection: Connection, collection: str, document_key: str) -> None:
    """Alone with this key, until the transaction ends."""
    await connection.execute(_DOCUMENT, collection, document_key)


async def lock_collection(connection: Connection, collection: str) -> None:
    """Alone with this collection and all of its keys, until the transaction ends."""
    await connection.execute(_COLLECTION, collection)


async def lock_change_log(connection: Connection) -> None:
    """Alone with the end of the change log. Whoever comes next sees what this transaction added."""
    await connection.execute(_CHANGE_LOG)
