"""The ports of the store over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from rag_server.adapters.postgres.batches import PostgresBatches
from rag_server.adapters.postgres.changes import PostgresChangeLog
from rag_server.adapters.postgres.clock import Clock, by_the_caller
from rag_server.adapters.postgres.contents import PostgresContents
from rag_server.adapters.postgres.documents import PostgresDocuments
from rag_server.adapters.postgres.jobs import PostgresJobs
from rag_server.adapters.postgres.model_pin import pin_model
from rag_server.adapters.postgres.queueing import PostgresQueueing
from rag_server.adapters.postgres.references import PostgresReferences
from rag_server.adapters.postgres.segments import PostgresSegments
from rag_server.adapters.postgres.slot import PostgresSlot
from rag_server.adapters.postgres.staging import PostgresStaging
from rag_server.domain.pipeline import Pipeline
from storage.postgres import PostgresDatabase
from storage.postgres_address import Limits
from storage.postgres_migrations import upgrade
from tests.fakes.store_ports import DIMENSIONS, MIGRATIONS, PIPELINE, StorePorts
from tests.servers.postgres import PostgresServer

SCHEMA = "rag_server"


@pytest.fixture(scope="session")
def empty_postgres(postgres_server: PostgresServer) -> str:
    """The name of a database with all tables, to be copied."""
    name = postgres_server.new_database()
    asyncio.run(make_tables(postgres_server.url(name)))
    return name


@pytest.fixture
def postgres_store_url(postgres_server: PostgresServer, empty_postgres: str) -> Iterator[str]:
    """The address of a database of the test's own, with all tables."""
    name = postgres_server.new_database(empty_postgres)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def postgres_ports(
    database: PostgresDatabase, pipeline: Pipeline = PIPELINE, clock: Clock = by_the_caller
) -> StorePorts:
    return StorePorts(
        PostgresJobs(database, pipeline, clock),
        PostgresSlot(database, clock),
        PostgresStaging(database, pipeline),
        PostgresDocuments(database),
        PostgresChangeLog(database),
        PostgresBatches(database, pipeline),
        PostgresContents(database),
        PostgresSegments(database),
        PostgresQueueing(database),
        PostgresReferences(database),
    )


async def make_tables(url: str) -> None:
    """All tables, with the test model pinned."""
    await upgrade(url, SCHEMA, MIGRATIONS)
    async with open_postgres(url) as database:
        await pin_model(database, "test-model", PIPELINE.model_fingerprint, DIMENSIONS)


@asynccontextmanager
async def open_postgres(url: str, limits: Limits = Limits()) -> AsyncIterator[PostgresDatabase]:  # noqa: B008 - frozen
    """A database whose tables are there."""
    async with PostgresDatabase(url, SCHEMA, "acervo tests", limits) as database:
        yield database
