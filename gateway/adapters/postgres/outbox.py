"""The outbox in PostgreSQL, as those see it who ask. Each method is one statement or one short transaction."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

import asyncio
from dataclasses import replace

from gateway.adapters.tables.rows import COLUMNS, to_entry, to_values
from gateway.domain.entry import Entry, EntryState, same_request
from gateway.domain.errors import RequestIdReused
from gateway.ports import EntryFilter
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import execute, fetch, fetch_row

_VALUES = COLUMNS.removeprefix("position, ")  # the database gives the position
_COUNT = len(_VALUES.split(","))
_NUMBERED = ", ".join(f"${number}" for number in range(1, _COUNT + 1))
_COLLECTION, _KEY = (f"${_VALUES.split(', ').index(name) + 1}" for name in ("collection", "document_key"))
_HOLDER, _UNTIL = f"${_COUNT + 1}::text", f"${_COUNT + 2}::float8"
# An entry without a key holds many documents. What is not committed yet was asked for at the same time.
_WAITS = (
    f"EXISTS (SELECT 1 FROM outbox WHERE open AND collection = {_COLLECTION} "
    f"AND ({_KEY} = '' OR document_key IN ({_KEY}, '')))"
)
_INSERT = (
    f"INSERT INTO outbox ({_VALUES}, claimed_by, claimed_until) VALUES ({_NUMBERED}, "
    f"CASE WHEN {_WAITS} THEN '' ELSE {_HOLDER} END, CASE WHEN {_WAITS} THEN 0 ELSE {_UNTIL} END) "
    "ON CONFLICT DO NOTHING RETURNING position, claimed_by"
)
_KNOWN = (
    f"SELECT {COLUMNS} FROM outbox WHERE job_id = :job_id OR (request_id = :request_id AND request_id <> '') LIMIT 1"
)
_GET = f"SELECT {COLUMNS} FROM outbox WHERE job_id = :job_id"
_FIND_REQUEST = f"SELECT {COLUMNS} FROM outbox WHERE request_id = :request_id AND request_id <> ''"
_LIST = (
    f"SELECT {COLUMNS} FROM outbox WHERE (:before::text = '' OR job_id < :before::text) "
    "AND (:collection::text = '' OR collection = :collection::text) "
    "AND (cardinality(:states::text[]) = 0 OR state = ANY(:states::text[]))"
)
_CANCEL = (
    "UPDATE outbox SET state = 'CANCELLED', revision = revision + 1, update_time = :now::float8 WHERE state = 'PENDING'"
)
_RETRY = (
    "UPDATE outbox SET state = 'PENDING', open = TRUE, refusal_json = NULL, revision = revision + 1, "
    "update_time = :now::float8, position = nextval(pg_get_serial_sequence('outbox', 'position')) "
    "WHERE state IN ('REFUSED', 'CANCELLED') AND job_id = :job_id"
)


class PostgresOutbox:
    """The acknowledged uploads of all gateways."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        # One at a time: what this gateway accepts gets its positions in the order of the calls.
        self._accepting = asyncio.Lock()

    async def accept(self, entry: Entry, holder: str = "", until: float = 0.0) -> Entry:
        async def work(connection: Connection) -> Entry:
            while True:
                row = await connection.fetchrow(_INSERT, *to_values(entry), holder, until)
                if row is not None:
                    return replace(entry, position=row[0], held=row[1] != "")
                known = await _known(connection, entry)
                if known is not None:  # else it was forgotten between the two statements
                    return known

        async with self._accepting:
            accepted = await self._database.write(work)
        if not same_request(accepted, entry.upload, entry.blob.sha256):
            raise RequestIdReused
        return accepted

    async def get(self, job_id: str) -> Entry | None:
        return await self._database.read(lambda connection: _get(connection, job_id))

    async def find_request(self, request_id: str) -> Entry | None:
        async def work(connection: Connection) -> Entry | None:
            row = await fetch_row(connection, _FIND_REQUEST, {"request_id": request_id})
            return None if row is None else to_entry(tuple(row))

        return await self._database.read(work)

    async def list_entries(self, wanted: EntryFilter, before_job_id: str, limit: int) -> list[Entry]:
        values = {"before": before_job_id, "collection": wanted.collection, "states": sorted(wanted.states)}
        # Lets the small index do.
        local = " AND state <> 'FORWARDED'" if wanted.states and EntryState.FORWARDED not in wanted.states else ""
        query = f"{_LIST}{local} ORDER BY job_id DESC LIMIT {int(limit)}"

        async def work(connection: Connection) -> list[Entry]:
            return [to_entry(tuple(row)) for row in await fetch(connection, query, values)]

        return await self._database.read(work)

    async def cancel(self, job_id: str, now: float) -> Entry | None:
        return await self._change(f"{_CANCEL} AND job_id = :job_id", job_id, now)

    async def cancel_documents(self, collection: str, document_key: str, now: float) -> int:
        values = {"collection": collection, "document_key": document_key, "now": now}
        only = "AND open AND collection = :collection AND (:document_key::text = '' OR document_key = :document_key)"
        return await self._database.write(lambda connection: execute(connection, f"{_CANCEL} {only}", values))

    async def retry(self, job_id: str, now: float) -> Entry | None:
        return await self._change(_RETRY, job_id, now)

    async def _change(self, statement: str, job_id: str, now: float) -> Entry | None:
        async def work(connection: Connection) -> Entry | None:
            await execute(connection, statement, {"job_id": job_id, "now": now})
            return await _get(connection, job_id)

        return await self._database.write(work)


async def _known(connection: Connection, entry: Entry) -> Entry | None:
    values = {"job_id": entry.job_id, "request_id": entry.upload.request_id}
    row = await fetch_row(connection, _KNOWN, values)
    return None if row is None else to_entry(tuple(row))


async def _get(connection: Connection, job_id: str) -> Entry | None:
    row = await fetch_row(connection, _GET, {"job_id": job_id})
    return None if row is None else to_entry(tuple(row))
