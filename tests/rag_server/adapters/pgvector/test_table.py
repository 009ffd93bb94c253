"""What the database must have, and what is said where it has not."""

# ruff: noqa: S608 - the names are constants

import asyncio
from collections.abc import Iterator

import pytest

from rag_server.adapters.pgvector.index import NAME, HnswIndex
from rag_server.adapters.pgvector.table import MOST_DIMENSIONS, prepare
from storage.postgres import PostgresDatabase
from storage.postgres_migrations import RefusedByDatabase, allow, migrate, upgrade
from tests.fakes.postgres_store import SCHEMA, open_postgres
from tests.fakes.store_ports import MIGRATIONS
from tests.rag_server.adapters.pgvector.library import D, library, unit_vectors
from tests.servers.postgres import PostgresServer

_VALID = f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{SCHEMA}.{NAME}')"


@pytest.fixture
def reader(postgres_server: PostgresServer, postgres_store_url: str) -> Iterator[str]:
    """The address for a role that owns nothing."""
    name = postgres_store_url.rpartition("/")[2]
    postgres_server.execute("CREATE ROLE vectors_reader LOGIN PASSWORD 'little'")
    yield postgres_server.url(name, "vectors_reader", "little")
    postgres_server.drop_database(name)
    postgres_server.execute("DROP ROLE vectors_reader")


async def test_several_servers_prepare_and_build_at_once(database: PostgresDatabase, postgres_store_url: str) -> None:
    assert await asyncio.gather(*[prepare(database, D) for _ in range(4)]) == ["public"] * 4
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(HnswIndex(postgres_store_url, SCHEMA).keep())
    assert await database.read(lambda connection: connection.fetchval(_VALID))


async def test_an_index_that_was_left_half_built_is_built_again(
    database: PostgresDatabase, postgres_server: PostgresServer, postgres_store_url: str
) -> None:
    made = await library(database)
    await made.put(unit_vectors(50))
    made.follow()
    await HnswIndex(postgres_store_url, SCHEMA).keep()
    invalid = f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{SCHEMA}.{NAME}'::regclass"
    postgres_server.execute(invalid, postgres_store_url.rpartition("/")[2])
    await HnswIndex(postgres_store_url, SCHEMA).keep()
    assert await database.read(lambda connection: connection.fetchval(_VALID))


async def test_a_role_without_rights_is_told_what_to_do_and_works_once_it_is_done(
    reader: str, postgres_store_url: str
) -> None:
    await allow(postgres_store_url, SCHEMA, "vectors_reader")
    async with open_postgres(reader) as little:
        with pytest.raises(RefusedByDatabase, match="role that owns the tables"):
            await prepare(little, D)
        async with open_postgres(postgres_store_url) as owner:
            await library(owner)
        made = await library(little, exact_rows=0)
        await made.put(unit_vectors(20))
        made.follow()
        assert [len(found) for found in made.both(unit_vectors(2), 5)[1]] == [5, 5]
        await HnswIndex(reader, SCHEMA).keep()  # returns: it may not, and says so


async def test_a_table_of_another_length_is_made_anew(database: PostgresDatabase) -> None:
    await prepare(database, D)
    await prepare(database, D + 1)
    made = "SELECT atttypmod FROM pg_attribute WHERE attrelid = 'nearest_chunk'::regclass AND attname = 'vector'"
    assert await database.read(lambda connection: connection.fetchval(made)) == D + 1


async def test_too_many_dimensions_are_refused(database: PostgresDatabase) -> None:
    with pytest.raises(RefusedByDatabase, match="4000"):
        await prepare(database, MOST_DIMENSIONS + 1)


async def test_without_the_extension_nothing_is_made_and_migrations_go_all_the_way(
    database: PostgresDatabase, postgres_store_url: str
) -> None:
    there = "SELECT to_regtype('public.halfvec') IS NOT NULL OR to_regclass('nearest_chunk') IS NOT NULL"
    assert not await database.read(lambda connection: connection.fetchval(there))
    await prepare(database, D)
    await migrate(postgres_store_url, SCHEMA, MIGRATIONS, "base")
    await upgrade(postgres_store_url, SCHEMA, MIGRATIONS)
    assert await prepare(database, D) == "public"
