"""The ports of the outbox, in memory and over each database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.postgres.outbox import PostgresOutbox
from gateway.adapters.postgres.outbox_work import PostgresOutboxRecords, PostgresOutboxWork
from gateway.adapters.sqlite.outbox import SqliteOutbox
from gateway.adapters.sqlite.outbox_work import SqliteOutboxRecords, SqliteOutboxWork
from gateway.domain.entry import Entry, Origin
from gateway.domain.upload import Upload
from gateway.ports import Outbox, OutboxRecords, OutboxWork
from storage.blobs import Blob
from storage.postgres import PostgresDatabase
from storage.sqlite import Database
from tests.fakes.outbox import MemoryOutbox

NOW = 1_700_000_000.0
SCHEMA = "gateway"


@dataclass(frozen=True, slots=True)
class OutboxPorts:
    """One outbox from its three sides."""

    outbox: Outbox
    work: OutboxWork
    records: OutboxRecords


@asynccontextmanager
async def open_outbox(place: Path | str | None) -> AsyncIterator[OutboxPorts]:
    """The outbox in a file or at an address, whose tables are there, or in memory."""
    if place is None:
        memory = MemoryOutbox()
        yield OutboxPorts(memory, memory, memory)
    elif isinstance(place, Path):
        async with Database(place) as database:
            yield OutboxPorts(SqliteOutbox(database), SqliteOutboxWork(database), SqliteOutboxRecords(database))
    else:
        async with PostgresDatabase(place, SCHEMA, "acervo tests") as postgres:
            yield OutboxPorts(PostgresOutbox(postgres), PostgresOutboxWork(postgres), PostgresOutboxRecords(postgres))


def entry(number: int, key: str = "a", collection: str = "default", request_id: str = "", content: str = "0") -> Entry:
    upload = Upload(key, f"{key}.txt", collection, "text/plain", '{"n":1}', ("red", "blü"), 7, request_id)
    return Entry(f"job-{number:03d}", upload, Blob(content * 64, 5), Origin("trace", "request"), NOW + number, NOW)
