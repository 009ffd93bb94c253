import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.bootstrap import MIGRATIONS as GATEWAY_MIGRATIONS
from storage.migrations import upgrade
from storage.postgres_migrations import upgrade as upgrade_postgres
from tests.fakes.outbox_ports import SCHEMA, OutboxPorts, open_outbox
from tests.fakes.postgres_store import open_postgres, postgres_ports
from tests.fakes.store_ports import MIGRATIONS, StorePorts, memory_ports, open_database, sqlite_ports
from tests.servers.postgres import PostgresServer


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: rendering the migrations takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "rag_server.db"
    upgrade(path, MIGRATIONS)
    return path


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str | None:
    """Where the test's store is: a file, an address, or nowhere."""
    if request.param == "memory":
        return None
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_store_url"))
    path = tmp_path / "rag_server.db"
    shutil.copy(request.getfixturevalue("empty_database"), path)
    return path


@pytest.fixture
async def store(store_place: Path | str | None) -> AsyncIterator[StorePorts]:
    if store_place is None:
        yield memory_ports()
    elif isinstance(store_place, Path):
        async with open_database(store_place) as database:
            yield sqlite_ports(database)
    else:
        async with open_postgres(store_place) as postgres:
            yield postgres_ports(postgres)


@pytest.fixture(scope="session")
def empty_outbox(postgres_server: PostgresServer) -> str:
    """The name of a database with the tables of the gateway, to be copied."""
    name = postgres_server.new_database()
    asyncio.run(upgrade_postgres(postgres_server.url(name), SCHEMA, GATEWAY_MIGRATIONS))
    return name


@pytest.fixture
def shared_outbox(postgres_server: PostgresServer, empty_outbox: str) -> Iterator[str]:
    """The address of an empty outbox in PostgreSQL."""
    name = postgres_server.new_database(empty_outbox)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def outbox_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str | None:
    """Where the test's outbox is: a file, an address, or nowhere."""
    if request.param == "memory":
        return None
    if request.param == "postgres":
        return str(request.getfixturevalue("shared_outbox"))
    path = tmp_path / "gateway.db"
    upgrade(path, GATEWAY_MIGRATIONS)
    return path


@pytest.fixture
async def ports(outbox_place: Path | str | None) -> AsyncIterator[OutboxPorts]:
    async with open_outbox(outbox_place) as opened:
        yield opened
