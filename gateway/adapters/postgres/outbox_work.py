"""The outbox in PostgreSQL, as the forwarders of all gateways and those see it who look after it."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from typing import Any

from gateway.adapters.tables.rows import COLUMNS, to_entry, to_json
from gateway.domain.entry import Entry, Refusal
from storage.blobs import Blob
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import execute, fetch, fetch_row

_FREE = "(claimed_until <= :now::float8 OR claimed_by = :holder)"
# An entry without a key holds many documents: it waits for all before it in its collection, and all after it wait.
_HEADS = f"""
SELECT {COLUMNS} FROM outbox AS o WHERE open AND position > :after AND {_FREE}
  AND NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.open AND e.collection = o.collection
                  AND e.document_key IN (o.document_key, '') AND e.position < o.position)
  AND (o.document_key <> '' OR NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.open
                                           AND e.collection = o.collection AND e.position < o.position))
ORDER BY position LIMIT :limit
"""
# Only while the entry is as the forwarder saw it: it may have been cancelled meanwhile.
_SEEN = "job_id = :job_id AND revision = :revision"
# Who finds the row locked by another claim does not wait for it: there are other entries.
_CLAIM = f"""
UPDATE outbox SET claimed_by = :holder, claimed_until = :until::float8
WHERE position = (SELECT position FROM outbox WHERE {_SEEN} AND open AND {_FREE} FOR UPDATE SKIP LOCKED)
"""
_HAS_OPEN = (
    "SELECT 1 FROM outbox WHERE open AND collection = :collection AND document_key IN (:document_key, '') LIMIT 1"
)
_PENDING_BLOBS = "SELECT DISTINCT sha256, size_bytes FROM outbox WHERE open AND state = 'PENDING'"
_COUNTS = "SELECT count(*), min(accept_time) FROM outbox WHERE open AND state = 'PENDING'"
_PRUNE = "DELETE FROM outbox WHERE NOT open AND update_time < :before::float8"


class PostgresOutboxWork:
    """What is to be handed over, and what has become of it."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def heads(self, after_position: int, limit: int, holder: str, now: float) -> list[Entry]:
        values = {"after": after_position, "limit": limit, "holder": holder, "now": now}

        async def work(connection: Connection) -> list[Entry]:
            return [to_entry(tuple(row)) for row in await fetch(connection, _HEADS, values)]

        return await self._database.read(work)

    async def claim(self, entry: Entry, holder: str, now: float, until: float) -> bool:
        values = {"holder": holder, "now": now, "until": until, **_seen(entry)}
        return await self._database.write(lambda connection: execute(connection, _CLAIM, values)) == 1

    async def has_open(self, collection: str, document_key: str) -> bool:
        values = {"collection": collection, "document_key": document_key}
        return await self._database.read(lambda connection: fetch_row(connection, _HAS_OPEN, values)) is not None

    async def forwarded(self, entry: Entry, known_as: str, now: float) -> bool:
        change = "state = 'FORWARDED', revision = revision + 1, known_as = :value"
        return await self._settle(entry, change, known_as, now)

    async def refused(self, entry: Entry, refusal: Refusal, now: float) -> None:
        change = "state = 'REFUSED', revision = revision + 1, refusal_json = :value"
        await self._settle(entry, change, to_json(refusal), now)

    async def withdrawn(self, entry: Entry, now: float) -> None:
        await self._settle(entry, "known_as = :value", "", now)

    async def _settle(self, entry: Entry, change: str, value: str, now: float) -> bool:
        statement = f"UPDATE outbox SET {change}, open = FALSE, update_time = :now::float8 WHERE {_SEEN}"
        values = {"value": value, "now": now, **_seen(entry)}
        return await self._database.write(lambda connection: execute(connection, statement, values)) == 1


class PostgresOutboxRecords:
    """What the outbox holds, and for how long."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def pending_blobs(self) -> list[Blob]:
        found = await self._database.read(lambda connection: fetch(connection, _PENDING_BLOBS, {}))
        return [Blob(sha256, size_bytes) for sha256, size_bytes in found]

    async def counts(self) -> tuple[int, float | None]:
        found = await self._database.read(lambda connection: fetch(connection, _COUNTS, {}))
        (count, oldest) = found[0]
        return count, oldest

    async def prune(self, before: float) -> int:
        return await self._database.write(lambda connection: execute(connection, _PRUNE, {"before": before}))


def _seen(entry: Entry) -> dict[str, Any]:
    return {"job_id": entry.job_id, "revision": entry.revision}
