"""The outbox in SQLite, as those see it who ask. Each method is one statement or one transaction."""

from dataclasses import replace

import apsw

from gateway.adapters.tables import rows
from gateway.domain.entry import Entry, EntryState, same_request
from gateway.domain.errors import RequestIdReused
from gateway.ports import EntryFilter
from storage.sqlite import Database

INSERT = f"INSERT INTO outbox ({rows.COLUMNS}, claimed_by, claimed_until) VALUES (NULL, {', '.join('?' * 23)})"  # noqa: S608 - made of ours
# An entry without a key holds many documents.
WAITS = "SELECT EXISTS (SELECT 1 FROM outbox WHERE open AND collection = ?1 AND (?2 = '' OR document_key IN (?2, '')))"
CANCEL = "UPDATE outbox SET state = 'CANCELLED', revision = revision + 1, update_time = ?1 WHERE state = 'PENDING' "
RETRY = (
    "UPDATE outbox SET state = 'PENDING', open = 1, refusal_json = NULL, revision = revision + 1, update_time = ?1, "
    "position = (SELECT max(position) + 1 FROM outbox) WHERE state IN ('REFUSED', 'CANCELLED') AND job_id = ?2"
)


class SqliteOutbox:
    """One gateway's acknowledged uploads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, entry: Entry, holder: str = "", until: float = 0.0) -> Entry:
        def work(connection: apsw.Connection) -> Entry:
            known = _known(connection, entry)
            if known is None:
                held = bool(holder) and not connection.execute(WAITS, entry.key).get
                connection.execute(INSERT, (*rows.to_values(entry), *((holder, until) if held else ("", 0.0))))
                return replace(entry, position=connection.last_insert_rowid(), held=held)
            if not same_request(known, entry.upload, entry.blob.sha256):
                raise RequestIdReused
            return known

        return await self._database.write(work)

    async def get(self, job_id: str) -> Entry | None:
        return await self._database.read(lambda connection: _first(connection, "WHERE job_id = ?", job_id))

    async def find_request(self, request_id: str) -> Entry | None:
        where = "WHERE request_id = ? AND request_id <> ''"
        return await self._database.read(lambda connection: _first(connection, where, request_id))

    async def list_entries(self, wanted: EntryFilter, before_job_id: str, limit: int) -> list[Entry]:
        states = sorted(wanted.states)
        clauses = ["WHERE (?1 = '' OR job_id < ?1) AND (?2 = '' OR collection = ?2)"]
        if states:
            clauses.append(f"AND state IN ({', '.join('?' * len(states))})")
            if EntryState.FORWARDED not in wanted.states:
                clauses.append("AND state <> 'FORWARDED'")  # lets the small index do
        clauses.append(f"ORDER BY job_id DESC LIMIT {int(limit)}")
        values = (before_job_id, wanted.collection, *states)
        return await self._database.read(lambda connection: rows.select(connection, " ".join(clauses), values))

    async def cancel(self, job_id: str, now: float) -> Entry | None:
        def work(connection: apsw.Connection) -> Entry | None:
            connection.execute(CANCEL + "AND job_id = ?2", (now, job_id))
            return _first(connection, "WHERE job_id = ?", job_id)

        return await self._database.write(work)

    async def cancel_documents(self, collection: str, document_key: str, now: float) -> int:
        def work(connection: apsw.Connection) -> int:
            only = "AND open AND collection = ?2 AND (?3 = '' OR document_key = ?3)"
            connection.execute(CANCEL + only, (now, collection, document_key))
            return connection.changes()

        return await self._database.write(work)

    async def retry(self, job_id: str, now: float) -> Entry | None:
        def work(connection: apsw.Connection) -> Entry | None:
            connection.execute(RETRY, (now, job_id))
            return _first(connection, "WHERE job_id = ?", job_id)

        return await self._database.write(work)


def _known(connection: apsw.Connection, entry: Entry) -> Entry | None:
    where = "WHERE job_id = ?1 OR (request_id = ?2 AND request_id <> '') LIMIT 1"
    found = rows.select(connection, where, (entry.job_id, entry.upload.request_id))
    return found[0] if found else None


def _first(connection: apsw.Connection, where: str, value: str) -> Entry | None:
    found = rows.select(connection, where, (value,))
    return found[0] if found else None
