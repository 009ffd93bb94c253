"""PostgreSQL ends all sessions and recovers when one of its processes is killed; a store rides through that."""

import asyncio
import os
import signal
from functools import partial

import asyncpg

from storage.postgres import PostgresDatabase
from storage.postgres_address import Limits
from tests.servers.postgres import running_postgres


async def _put(connection: asyncpg.Connection, key: str) -> None:
    await connection.execute("INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING", key)


async def test_a_server_that_crashes_and_recovers_loses_nothing_that_was_written() -> None:
    with running_postgres() as server:
        server.execute("CREATE SCHEMA s; CREATE TABLE s.t (k TEXT PRIMARY KEY)")
        async with PostgresDatabase(server.url(), "s", "test", Limits(retry_s=30)) as database:
            for number in range(5):
                victim = await database.read(lambda connection: connection.fetchval("SELECT pg_backend_pid()"))
                os.kill(victim, signal.SIGKILL)
                await asyncio.gather(*(database.write(partial(_put, key=f"{number}-{n}")) for n in range(20)))
            counted = await database.read(lambda connection: connection.fetchval("SELECT count(*) FROM t"))
    assert counted == 100
