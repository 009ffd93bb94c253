import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import asyncpg
import pytest

from storage.postgres import PostgresDatabase
from storage.postgres_address import Limits, read_address
from storage.unavailable import StorageUnavailable
from tests.servers.postgres import PostgresServer


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    name = postgres_server.new_database()
    postgres_server.execute("CREATE SCHEMA s; CREATE TABLE s.t (k TEXT PRIMARY KEY, n INTEGER)", name)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["", "?pgbouncer=true"])
async def database(request: pytest.FixtureRequest, url: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(url + request.param, "s", "test") as database:
        yield database


async def _keys(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch("SELECT k FROM t ORDER BY k")]


async def _put(connection: asyncpg.Connection, key: str = "a") -> None:
    """A work that may run twice: it looks up by key what it did."""
    await connection.execute("INSERT INTO t VALUES ($1, 1) ON CONFLICT DO NOTHING", key)


async def test_what_was_written_is_read_from_any_thread(database: PostgresDatabase) -> None:
    await database.write(_put)
    assert await database.read(_keys) == ["a"]
    assert await asyncio.to_thread(database.read_here, _keys) == ["a"]
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda _: database.read_here(_keys), range(100))) == [["a"]] * 100


@pytest.fixture
async def peeking(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def test_a_work_that_fails_is_undone(database: PostgresDatabase) -> None:
    async def half(connection: asyncpg.Connection) -> None:
        await _put(connection)
        raise LookupError("half done")

    with pytest.raises(LookupError, match="half done"):
        await database.write(half)
    assert await database.read(_keys) == []


async def test_a_work_cannot_go_on_after_an_error_of_the_database(database: PostgresDatabase) -> None:
    async def careless(connection: asyncpg.Connection) -> None:
        await _put(connection)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("SELECT 1 / 0")

    with pytest.raises(RuntimeError, match="had failed"):
        await database.write(careless)
    assert await database.read(_keys) == []


async def test_a_read_sees_one_snapshot_and_writes_nothing(database: PostgresDatabase) -> None:
    async def twice(connection: asyncpg.Connection) -> list[list[str]]:
        before = await _keys(connection)
        await asyncio.to_thread(lambda: asyncio.run(_put_from_elsewhere()))
        return [before, await _keys(connection)]

    async def _put_from_elsewhere() -> None:
        await database.write(_put)

    assert await database.read(twice) == [[], []]
    assert await database.read(_keys) == ["a"]


async def test_many_works_share_few_connections(url: str, peeking: asyncpg.Connection) -> None:
    async with PostgresDatabase(url, "s", "crowd", Limits(connections=3)) as database:
        await asyncio.gather(*(database.write(partial(_put, key=f"{key:03}")) for key in range(100)))
        opened = await peeking.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crowd'")
        assert len(await database.read(_keys)) == 100
    assert opened <= 3


async def test_the_loser_of_a_deadlock_runs_again(database: PostgresDatabase) -> None:
    await database.write(lambda c: _put(c, "a"))
    await database.write(lambda c: _put(c, "b"))
    both_hold_one = asyncio.Barrier(2)  # belongs to the loop that first waits on it: the database's
    runs = 0

    async def add(connection: asyncpg.Connection, first: str, second: str) -> None:
        nonlocal runs
        runs += 1
        await connection.execute("UPDATE t SET n = n + 1 WHERE k = $1", first)
        if runs <= 2:
            await both_hold_one.wait()
        await connection.execute("UPDATE t SET n = n + 1 WHERE k = $1", second)

    await asyncio.gather(
        database.write(lambda c: add(c, "a", "b")),
        database.write(lambda c: add(c, "b", "a")),
    )
    # It may take its first row again before the other one, which waits for that, wakes; then it loses again.
    assert runs >= 3
    assert await database.read(lambda c: c.fetchval("SELECT array_agg(n) FROM t")) == [3, 3]


async def test_a_work_that_another_one_overtook_runs_again(database: PostgresDatabase) -> None:
    """Each raises the isolation to the strictest for itself, which PostgreSQL answers with serialization failures."""
    await database.write(lambda c: _put(c, "a"))

    async def add(connection: asyncpg.Connection) -> None:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        number = await connection.fetchval("SELECT n FROM t WHERE k = 'a'")
        await connection.execute("UPDATE t SET n = $1 WHERE k = 'a'", number + 1)

    await asyncio.gather(*(database.write(add) for _ in range(8)))
    assert await database.read(lambda c: c.fetchval("SELECT n FROM t")) == 9


async def test_two_that_make_the_same_row_agree(database: PostgresDatabase) -> None:
    both_looked = asyncio.Barrier(2)
    runs = 0

    async def make(connection: asyncpg.Connection) -> str:
        nonlocal runs
        runs += 1
        if await connection.fetchval("SELECT 1 FROM t WHERE k = 'a'"):
            return "found"
        if runs <= 2:
            await both_looked.wait()
        await connection.execute("INSERT INTO t VALUES ('a', 1)")
        return "made"

    assert sorted(await asyncio.gather(database.write(make), database.write(make))) == ["found", "made"]


async def test_a_conflict_that_does_not_end_is_raised(database: PostgresDatabase) -> None:
    async def always(connection: asyncpg.Connection) -> None:
        await connection.execute("INSERT INTO t VALUES ('a', 1), ('a', 1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await database.write(always)


async def test_a_session_that_was_ended_is_replaced(database: PostgresDatabase, peeking: asyncpg.Connection) -> None:
    runs = 0

    async def put(connection: asyncpg.Connection) -> None:
        nonlocal runs
        runs += 1
        await _put(connection)
        if runs == 1:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    await database.write(put)
    assert (runs, await database.read(_keys)) == (2, ["a"])
    # And those that lie idle in the pool.
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'test'"
    assert await peeking.fetchval(ended) >= 1
    await database.write(lambda c: _put(c, "b"))
    assert await asyncio.to_thread(database.read_here, _keys) == ["a", "b"]


@pytest.mark.parametrize("address", ["", "?pgbouncer=true"])
async def test_sessions_that_end_at_any_moment_lose_and_double_nothing(
    url: str, address: str, peeking: asyncpg.Connection
) -> None:
    done = asyncio.Event()

    async def end_sessions() -> None:
        while not done.is_set():
            await peeking.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'"
            )
            await asyncio.sleep(0.01)

    async def add(database: PostgresDatabase, number: int) -> None:
        for step in range(10):
            await database.write(partial(_put, key=f"{number}-{step}"))

    # On a busy machine many attempts in a row meet their end.
    async with PostgresDatabase(url + address, "s", "test", Limits(retry_s=120.0)) as database:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(end_sessions())
            await asyncio.gather(*(add(database, number) for number in range(8)))
            done.set()
        assert len(await database.read(_keys)) == 80


async def test_a_statement_that_takes_too_long_is_unavailable(url: str) -> None:
    async with PostgresDatabase(url, "s", "test", Limits(statement_s=0.1)) as database:
        with pytest.raises(StorageUnavailable) as raised:
            await database.write(lambda c: c.fetchval("SELECT pg_sleep(60)"))
        assert isinstance(raised.value.__cause__, asyncpg.QueryCanceledError)
        await database.write(_put)


async def test_a_lock_that_is_not_given_is_unavailable(url: str, peeking: asyncpg.Connection) -> None:
    async with PostgresDatabase(url, "s", "test", Limits(lock_s=0.1)) as database:
        async with peeking.transaction():
            await peeking.execute("LOCK TABLE s.t")
            with pytest.raises(StorageUnavailable):
                await database.write(_put)
        await database.write(_put)


async def test_a_server_that_is_away_is_unavailable_and_its_password_is_not_told(url: str) -> None:
    away = url.rpartition(":")[0] + ":1/nowhere"
    secret = url.split(":")[2].partition("@")[0]
    async with PostgresDatabase(away, "s", "test", Limits(retry_s=0.2)) as database:
        with pytest.raises(StorageUnavailable) as raised:
            await database.read(_keys)
    assert secret not in f"{raised.value!r} {raised.value.__cause__!r} {database!r} {read_address(away)!r}"


async def test_a_caller_that_is_cancelled_does_not_undo_its_write(database: PostgresDatabase) -> None:
    begun = threading.Event()

    async def put(connection: asyncpg.Connection) -> None:
        begun.set()
        await connection.execute("SELECT pg_sleep(0.05)")
        await _put(connection)

    writing = asyncio.create_task(database.write(put))
    await asyncio.to_thread(begun.wait)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with asyncio.timeout(10):
        while await database.read(_keys) != ["a"]:
            await asyncio.sleep(0.01)


async def test_a_value_that_cannot_be_sent_is_the_works_own_fault(database: PostgresDatabase) -> None:
    with pytest.raises(asyncpg.DataError, match="str"):
        await database.write(lambda c: c.execute("UPDATE t SET n = $1", "one"))


@pytest.mark.parametrize("schema", ["", "S", "s; DROP", "1s"])
def test_only_plain_names_are_schemas(url: str, schema: str) -> None:
    with pytest.raises(ValueError, match="no name of a schema"):
        PostgresDatabase(url, schema, "test")
