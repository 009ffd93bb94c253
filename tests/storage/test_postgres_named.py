from collections.abc import AsyncIterator

import asyncpg
import pytest

from storage.postgres_named import execute, fetch, fetch_row, fetch_value


@pytest.fixture
async def connection(postgres_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_database)
    yield connection
    await connection.close()


async def test_a_name_stands_for_the_same_value_wherever_it_is_written(connection: asyncpg.Connection) -> None:
    statement = "SELECT :a::integer, :b::text, :a::integer + 1, 'x'::text"
    assert await fetch(connection, statement, {"a": 1, "b": "two", "unused": 3}) == [(1, "two", 2, "x")]


async def test_rows_and_values_that_are_not_there_are_none(connection: asyncpg.Connection) -> None:
    nothing = "SELECT 1 WHERE :a::integer = 2"
    assert await fetch_row(connection, nothing, {"a": 1}) is None
    assert await fetch_value(connection, nothing, {"a": 1}) is None
    assert await fetch_value(connection, nothing, {"a": 2}) == 1


async def test_a_statement_tells_how_many_rows_it_was_about(connection: asyncpg.Connection) -> None:
    await connection.execute("CREATE TABLE t (n INTEGER)")
    assert await execute(connection, "INSERT INTO t SELECT generate_series(1, :n::integer)", {"n": 5}) == 5
    assert await execute(connection, "DELETE FROM t WHERE n > :n", {"n": 3}) == 2
    assert await execute(connection, "UPDATE t SET n = :n", {"n": 9}) == 3
