from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.sqlite import Database
from tests.fakes.store_ports import StorePorts, open_database, sqlite_ports


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "rag_server.db") as database:
        yield database


@pytest.fixture
def store(database: Database) -> StorePorts:
    return sqlite_ports(database)
