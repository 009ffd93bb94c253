import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from storage.sqlite import GROUP_LIMIT, Database, connect
from storage.unavailable import StorageUnavailable
from tests.fakes.faulty_disk import FaultyDisk, faulty_disk


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(tmp_path / "test.db") as database:
        await database.write(lambda c: c.execute("CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER)").fetchall())
        yield database


def _put(connection: apsw.Connection, key: str) -> None:
    """A work that may run twice: it looks up by key what it did."""
    connection.execute("INSERT INTO t VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (key,))


def _add(connection: apsw.Connection, key: str) -> None:
    connection.execute("INSERT INTO t VALUES (?, 1)", (key,))


def _keys(connection: apsw.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute("SELECT k FROM t ORDER BY k")]


async def test_what_was_written_is_read_and_survives_the_database(database: Database, tmp_path: Path) -> None:
    await database.write(lambda c: _add(c, "a"))
    assert await database.read(_keys) == database.read_here(_keys) == ["a"]
    await database.close()
    async with Database(tmp_path / "test.db") as again:
        assert await again.read(_keys) == ["a"]


async def test_works_that_wait_share_a_commit(database: Database) -> None:
    blocked, free = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def block(_: apsw.Connection) -> None:
        loop.call_soon_threadsafe(blocked.set)
        asyncio.run_coroutine_threadsafe(free.wait(), loop).result(10)

    commits = 0

    def count() -> bool:
        nonlocal commits
        commits += 1
        return False

    await database.write(lambda c: c.set_commit_hook(count))
    commits = 0
    first = asyncio.create_task(database.write(block))
    await blocked.wait()
    works = [asyncio.create_task(database.write(partial(_add, key=f"{k:03}"))) for k in range(2 * GROUP_LIMIT)]
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(first, *works)
    await database.write(lambda c: c.set_commit_hook(None))
    assert len(await database.read(_keys)) == 2 * GROUP_LIMIT
    assert commits == 3  # the blocking work alone, and two full groups


async def test_a_work_that_fails_undoes_itself_alone(database: Database) -> None:
    def half(connection: apsw.Connection) -> None:
        _add(connection, "half")
        raise LookupError("half done")

    results = await asyncio.gather(
        database.write(lambda c: _add(c, "a")),
        database.write(half),
        database.write(lambda c: _add(c, "a")),
        database.write(lambda c: _add(c, "b")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), LookupError, apsw.ConstraintError, type(None)]
    assert await database.read(_keys) == ["a", "b"]


async def test_a_cancelled_caller_does_not_call_back_its_work(database: Database) -> None:
    blocked, free = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: apsw.Connection) -> None:
        loop.call_soon_threadsafe(blocked.set)
        asyncio.run_coroutine_threadsafe(free.wait(), loop).result(10)
        _add(connection, "a")

    caller = asyncio.create_task(database.write(slow))
    await blocked.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    free.set()
    await database.write(lambda c: _add(c, "b"))
    assert await database.read(_keys) == ["a", "b"]


async def test_a_reader_sees_one_snapshot(database: Database) -> None:
    await database.write(lambda c: _add(c, "a"))
    loop = asyncio.get_running_loop()

    def twice(connection: apsw.Connection) -> tuple[list[str], list[str]]:
        before = _keys(connection)
        asyncio.run_coroutine_threadsafe(database.write(lambda c: _add(c, "b")), loop).result(10)
        return before, _keys(connection)

    assert await database.read(twice) == (["a"], ["a"])
    assert await database.read(_keys) == ["a", "b"]


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StorageUnavailable):
        await database.read(lambda c: _add(c, "a"))
    assert await database.read(_keys) == []


@pytest.mark.parametrize("fault", ["sync", "write"])
async def test_a_commit_that_fails_once_is_looked_up_and_done_again(
    disk: FaultyDisk, tmp_path: Path, fault: str
) -> None:
    async with Database(tmp_path / "faulty.db") as database:
        await database.write(lambda c: c.execute("CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER)").fetchall())
        setattr(disk, f"{fault}s_to_fail", 1)
        await database.write(lambda c: _put(c, "a"))
        assert disk.failures == 1
        assert await database.read(_keys) == ["a"]


async def test_a_disk_that_goes_on_failing_is_told_and_later_works_succeed(disk: FaultyDisk, tmp_path: Path) -> None:
    async with Database(tmp_path / "faulty.db") as database:
        await database.write(lambda c: c.execute("CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER)").fetchall())
        disk.writes_to_fail = 1_000
        with pytest.raises(StorageUnavailable):
            await database.write(lambda c: _add(c, "a"))
        disk.writes_to_fail = 0
        await database.write(lambda c: _add(c, "b"))
        assert await database.read(_keys) == ["b"]


async def test_two_processes_worth_of_connections_write_to_one_file(tmp_path: Path) -> None:
    async with Database(tmp_path / "t.db") as one, Database(tmp_path / "t.db", checkpoints=False) as two:
        await one.write(lambda c: c.execute("CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER)").fetchall())
        writes = [
            database.write(partial(_add, key=f"{name}{n:02}"))
            for n in range(30)
            for name, database in (("a", one), ("b", two))
        ]
        await asyncio.gather(*writes)
        assert len(await one.read(_keys)) == 60


async def test_every_connection_forces_its_commits_to_the_disk(tmp_path: Path) -> None:
    connection = connect(tmp_path / "t.db", checkpoints=False)
    settings = {name: connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert connection.pragma("wal_autocheckpoint") == 0
    connection.close()
