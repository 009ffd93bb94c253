"""The outbox in SQLite, as the forwarder and those see it who look after it."""

# ruff: noqa: S608 - statements are put together from this module's constants; values are always bound.

from typing import Any

import apsw

from gateway.adapters.tables import rows
from gateway.domain.entry import Entry, Refusal
from storage.blobs import Blob
from storage.sqlite import Database

FREE = "(claimed_until <= ? OR claimed_by = ?)"
# An entry without a key holds many documents: it waits for all before it in its collection, and all after it wait.
HEADS = (
    f"AS o WHERE open AND position > ? AND {FREE} AND NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.open "
    "AND e.collection = o.collection AND e.document_key IN (o.document_key, '') AND e.position < o.position) "
    "AND (o.document_key <> '' OR NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.open "
    "AND e.collection = o.collection AND e.position < o.position)) ORDER BY position LIMIT ?"
)
# Only while the entry is as the forwarder saw it: it may have been cancelled meanwhile.
SEEN = "WHERE job_id = ? AND revision = ?"
CLAIM = f"UPDATE outbox SET claimed_by = ?, claimed_until = ? {SEEN} AND open AND {FREE}"


class SqliteOutboxWork:
    """What is to be handed over, and what has become of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self, after_position: int, limit: int, holder: str, now: float) -> list[Entry]:
        values = (after_position, now, holder, limit)
        return await self._database.read(lambda connection: rows.select(connection, HEADS, values))

    async def claim(self, entry: Entry, holder: str, now: float, until: float) -> bool:
        def work(connection: apsw.Connection) -> bool:
            connection.execute(CLAIM, (holder, until, entry.job_id, entry.revision, now, holder))
            return connection.changes() == 1

        return await self._database.write(work)

    async def has_open(self, collection: str, document_key: str) -> bool:
        query = "SELECT 1 FROM outbox WHERE open AND collection = ? AND document_key IN (?, '') LIMIT 1"
        row = await self._database.read(
            lambda connection: connection.execute(query, (collection, document_key)).fetchone()
        )
        return row is not None

    async def forwarded(self, entry: Entry, known_as: str, now: float) -> bool:
        return await self._settle(entry, "state = 'FORWARDED', known_as = ?", known_as, now)

    async def refused(self, entry: Entry, refusal: Refusal, now: float) -> None:
        await self._settle(entry, "state = 'REFUSED', refusal_json = ?", rows.to_json(refusal), now)

    async def withdrawn(self, entry: Entry, now: float) -> None:
        await self._settle(entry, "known_as = ?", "", now, step=0)

    async def _settle(self, entry: Entry, change: str, value: Any, now: float, step: int = 1) -> bool:
        statement = f"UPDATE outbox SET {change}, open = 0, revision = revision + {step}, update_time = ? {SEEN}"

        def work(connection: apsw.Connection) -> bool:
            connection.execute(statement, (value, now, entry.job_id, entry.revision))
            return connection.changes() == 1

        return await self._database.write(work)


class SqliteOutboxRecords:
    """What the outbox holds, and for how long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending_blobs(self) -> list[Blob]:
        query = "SELECT DISTINCT sha256, size_bytes FROM outbox WHERE open AND state = 'PENDING'"

        def work(connection: apsw.Connection) -> list[Blob]:
            rows_found: list[Any] = connection.execute(query).fetchall()
            return [Blob(sha256, size_bytes) for sha256, size_bytes in rows_found]

        return await self._database.read(work)

    async def counts(self) -> tuple[int, float | None]:
        query = "SELECT count(*), min(accept_time) FROM outbox WHERE open AND state = 'PENDING'"

        def work(connection: apsw.Connection) -> tuple[int, float | None]:
            found: Any = connection.execute(query).fetchone()
            return found[0], found[1]

        return await self._database.read(work)

    async def prune(self, before: float) -> int:
        def work(connection: apsw.Connection) -> int:
            connection.execute("DELETE FROM outbox WHERE NOT open AND update_time < ?", (before,))
            return connection.changes()

        return await self._database.write(work)
