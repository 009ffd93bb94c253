"""Everything works where each transaction may get another session, as behind pgbouncer in transaction mode."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from rag_server.adapters.postgres.integrity import PostgresIntegrity
from storage.postgres import PostgresDatabase
from tests.contracts.ingesting import LEASE_S, finish, found_texts, ingest, ingested, order, tick
from tests.fakes.postgres_store import open_postgres
from tests.fakes.store_ports import StorePorts
from tests.servers.pooler import running_pooler
from tests.servers.postgres import PostgresServer


@pytest.fixture
def pooler_url(postgres_server: PostgresServer, postgres_store_url: str) -> Iterator[str]:
    with running_pooler(postgres_server, postgres_store_url.rpartition("/")[2]) as url:
        yield url


@pytest.fixture
async def database(pooler_url: str) -> AsyncIterator[PostgresDatabase]:
    async with open_postgres(f"{pooler_url}?pgbouncer=true") as database:
        yield database


async def test_the_pooler_of_these_tests_breaks_who_relies_on_a_session(pooler_url: str) -> None:
    clients = [await asyncpg.connect(pooler_url) for _ in range(2)]

    async def take_turns() -> None:
        for number in range(20):
            await clients[number % 2].fetchval("SELECT $1::integer", number)

    with pytest.raises(asyncpg.InvalidSQLStatementNameError):
        await take_turns()
    for client in clients:
        client.terminate()
    with pytest.raises(asyncpg.ProtocolViolationError, match="unsupported startup parameter"):
        await asyncpg.connect(pooler_url, server_settings={"lock_timeout": "1"})


async def test_documents_come_are_found_and_go(store: StorePorts, database: PostgresDatabase) -> None:
    document = await ingested(store, "a", "one two")
    await ingest(store, "b", "three")
    assert found_texts(store) == ["one", "two", "three"]
    await store.documents.delete(document.document_id, "", tick())
    assert await store.documents.delete_collection("default", tick()) == (4, 1)
    assert await store.staging.drop_retired(9) == 3
    assert all(invariant.ok for invariant in await PostgresIntegrity(database, 0.0).check())


async def test_more_clients_than_sessions_work_at_once(store: StorePorts, database: PostgresDatabase) -> None:
    for number in range(40):
        await store.jobs.admit(order(f"{number}"), tick())

    async def work(slot: str) -> None:
        while (claimed := await store.slot.claim(slot, tick(), LEASE_S)) is not None:
            await finish(store, claimed, "one two")

    await asyncio.gather(*(work(f"slot-{number}") for number in range(8)))
    assert store.change_log.last_sequence() == 40
    assert all(invariant.ok for invariant in await PostgresIntegrity(database, 0.0).check())
