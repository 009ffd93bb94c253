"""The tables refuse half-states, and going down and up again leads to the same tables."""

import asyncpg
import pytest

from storage.postgres import Connection, PostgresDatabase
from storage.postgres_migrations import migrate
from storage.revisions import revisions
from tests.contracts.ingesting import claim, found_texts, ingest, order, tick
from tests.fakes.postgres_store import SCHEMA, open_postgres, postgres_ports
from tests.fakes.store_ports import MIGRATIONS, StorePorts

HALF_STATES = [
    "UPDATE job SET state = 'SUCCEEDED'",
    "UPDATE job SET state = 'FAILED', end_time = 1, slot = NULL, lease_end = NULL",
    "UPDATE job SET state = 'QUEUED'",
    "UPDATE job SET state = 'BUSY'",
    "UPDATE job SET end_time = 1",
    "UPDATE job SET lease_end = NULL",
    "UPDATE job SET next_attempt_time = 1",
    "UPDATE job SET problem = '{}'",
    "UPDATE job SET crashes = attempt + 1",
    "UPDATE version SET state = 'CURRENT', sequence = NULL",
    "UPDATE version SET erased = 1 WHERE state = 'CURRENT'",
    "UPDATE version SET number = NULL",
    "UPDATE version SET model_fingerprint = 'another'",
    "UPDATE document SET current_version_id = 99",
    "INSERT INTO change VALUES (9, 'DELETED', 'c', 'd', 5, 1)",
    "INSERT INTO change SELECT 9, kind, collection, document_id, version_id, 1 FROM change",
    "INSERT INTO collection VALUES (NULL, 1)",
    "DELETE FROM version",
    "DELETE FROM collection",
    "INSERT INTO pinned_model VALUES (2, 'f', 'n', 1)",
]

TABLES = """
SELECT string_agg(table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable, E'\\n'
  ORDER BY table_name, column_name)
FROM information_schema.columns WHERE table_schema = current_schema()
"""
CONSTRAINTS = """
SELECT string_agg(conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid), E'\\n'
  ORDER BY conrelid::regclass::text, conname)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
"""
INDEXES = "SELECT string_agg(indexdef, E'\\n' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = current_schema()"


@pytest.mark.parametrize("statement", HALF_STATES)
async def test_a_half_state_cannot_be_written(store: StorePorts, database: PostgresDatabase, statement: str) -> None:
    await ingest(store)
    await store.jobs.admit(order("b"), tick())
    await claim(store)

    async def work(connection: Connection) -> None:
        await connection.execute("DELETE FROM job WHERE state <> 'RUNNING'")
        await connection.execute(statement)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await database.write(work)


async def _definitions(connection: Connection) -> list[str]:
    return [await connection.fetchval(query) for query in (TABLES, CONSTRAINTS, INDEXES)]


async def test_each_revision_can_be_undone_and_done_again(postgres_store_url: str) -> None:
    known = revisions(MIGRATIONS)
    async with open_postgres(postgres_store_url) as database:
        newest = await database.read(_definitions)
    for target in reversed(known[:-1]):
        await migrate(postgres_store_url, SCHEMA, MIGRATIONS, target)
    for target in known[1:]:
        await migrate(postgres_store_url, SCHEMA, MIGRATIONS, target)
    async with open_postgres(postgres_store_url) as database:
        assert await database.read(_definitions) == newest


async def test_what_was_taken_in_survives_going_down_and_up(postgres_store_url: str) -> None:
    async with open_postgres(postgres_store_url) as database:
        await ingest(postgres_ports(database), content="one two")
    await migrate(postgres_store_url, SCHEMA, MIGRATIONS, "0001")
    await migrate(postgres_store_url, SCHEMA, MIGRATIONS, revisions(MIGRATIONS)[-1])
    async with open_postgres(postgres_store_url) as database:
        store = postgres_ports(database)
        assert found_texts(store) == ["one", "two"]
        await ingest(store, "b", "three")
        assert found_texts(store) == ["one", "two", "three"]
