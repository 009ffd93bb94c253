import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.migrations import upgrade
from tests.fakes.store_ports import MIGRATIONS, StorePorts, memory_ports, open_database, sqlite_ports


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: rendering the migrations takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "rag_server.db"
    upgrade(path, MIGRATIONS)
    return path


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> AsyncIterator[StorePorts]:
    if request.param == "memory":
        yield memory_ports()
        return
    path = tmp_path / "rag_server.db"
    shutil.copy(empty_database, path)
    async with open_database(path) as database:
        yield sqlite_ports(database)
