"""The server's role needs no right to change tables."""

from collections.abc import Iterator

import asyncpg
import pytest

from rag_server.adapters.postgres.integrity import PostgresIntegrity
from rag_server.adapters.postgres.model_pin import pin_model
from rag_server.adapters.postgres.references import PostgresReferences
from storage.postgres import Connection
from storage.postgres_migrations import allow, upgrade
from tests.contracts.ingesting import found_texts, ingest, ingested, tick
from tests.fakes.postgres_store import SCHEMA, open_postgres, postgres_ports
from tests.fakes.store_ports import DIMENSIONS, MIGRATIONS, PIPELINE
from tests.servers.postgres import PostgresServer


@pytest.fixture
def server_role_url(postgres_server: PostgresServer, postgres_store_url: str) -> Iterator[str]:
    """The address of the test's database for a role that may log in, and nothing else."""
    name = postgres_store_url.rpartition("/")[2]
    postgres_server.execute("CREATE ROLE acervo_server LOGIN PASSWORD 'of the server'")
    yield postgres_server.url(name, "acervo_server", "of the server")
    postgres_server.drop_database(name)
    postgres_server.execute("DROP ROLE acervo_server")


async def test_a_role_that_cannot_make_tables_does_all_that_a_server_does(
    postgres_store_url: str, server_role_url: str
) -> None:
    await allow(postgres_store_url, SCHEMA, "acervo_server")
    await upgrade(server_role_url, SCHEMA, MIGRATIONS)
    async with open_postgres(server_role_url) as database:
        store = postgres_ports(database)
        await pin_model(database, "new-name", PIPELINE.model_fingerprint, DIMENSIONS)
        document = await ingested(store, "a", "one two")
        await ingest(store, "b", "three")
        assert PostgresReferences(database).wanted(document.sha256)
        await store.documents.delete(document.document_id, "", tick())
        await store.staging.drop_retired(9)
        assert await store.jobs.prune(tick()) == 0
        assert found_texts(store) == ["three"]
        assert all(invariant.ok for invariant in await PostgresIntegrity(database, 0.0).check())


async def test_it_can_change_no_table(postgres_store_url: str, server_role_url: str) -> None:
    await allow(postgres_store_url, SCHEMA, "acervo_server")
    async with open_postgres(server_role_url) as database:
        for statement in (
            "CREATE TABLE more (k TEXT)",
            "DROP TABLE chunk",
            "TRUNCATE chunk",
            "DELETE FROM alembic_version",
        ):

            async def work(connection: Connection, statement: str = statement) -> None:
                await connection.execute(statement)

            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await database.write(work)
