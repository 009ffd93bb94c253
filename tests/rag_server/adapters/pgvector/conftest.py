from collections.abc import AsyncIterator

import pytest

from storage.postgres import PostgresDatabase
from tests.fakes.postgres_store import open_postgres


@pytest.fixture
async def database(postgres_store_url: str) -> AsyncIterator[PostgresDatabase]:
    async with open_postgres(postgres_store_url) as database:
        yield database
