"""Statements with names for their values, as SQLite has them; asyncpg counts: $1, $2 …"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import asyncpg

Row = Sequence[Any]
_NAME = re.compile(r"(?<![:\w]):([a-z]\w*)")  # and no cast such as ::bigint


async def execute(connection: asyncpg.Connection, statement: str, values: Mapping[str, Any]) -> int:
    """Run a statement with `:name` for each value; how many rows it was about. `values` may hold more."""
    sql, names = _counted(statement)
    status: str = await connection.execute(sql, *(values[name] for name in names))
    return int(status.rpartition(" ")[2])


async def fetch(connection: asyncpg.Connection, statement: str, values: Mapping[str, Any]) -> list[Row]:
    """All rows."""
    sql, names = _counted(statement)
    return [tuple(row) for row in await connection.fetch(sql, *(values[name] for name in names))]


async def fetch_row(connection: asyncpg.Connection, statement: str, values: Mapping[str, Any]) -> Row | None:
    """The first row; None where there is none."""
    sql, names = _counted(statement)
    row = await connection.fetchrow(sql, *(values[name] for name in names))
    return None if row is None else tuple(row)


async def fetch_value(connection: asyncpg.Connection, statement: str, values: Mapping[str, Any]) -> Any:
    """The first column of the first row; None where there is none."""
    row = await fetch_row(connection, statement, values)
    return None if row is None else row[0]


@lru_cache(maxsize=1024)
def _counted(statement: str) -> tuple[str, tuple[str, ...]]:
    names = tuple(dict.fromkeys(_NAME.findall(statement)))
    numbers = {name: f"${number}" for number, name in enumerate(names, start=1)}
    return _NAME.sub(lambda found: numbers[found[1]], statement), names
