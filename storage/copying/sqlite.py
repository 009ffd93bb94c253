"""A SQLite file as one side of a copy, held alone: no other connection can be open meanwhile."""

# ruff: noqa: S608 - names come from the file's own catalogue, values are always bound.

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from storage.copying.holding import BOOKKEEPING, HoldingInUse, Mark, Row, Table
from storage.revisions import UNFINISHED_COPY
from storage.unavailable import StorageUnavailable

PATIENCE_MS = 500  # for a program that is just ending

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
_NUMBERED = f"{_TABLES} AND sql LIKE '%AUTOINCREMENT%'"
_BEGIN = """
CREATE TABLE copying AS SELECT version_num, '' AS mark FROM alembic_version;
UPDATE alembic_version SET version_num = :unfinished
"""
_END = "UPDATE alembic_version SET version_num = (SELECT version_num FROM copying); DROP TABLE copying"


class SqliteHolding:
    """Source and target. Its calls block: nothing else runs in a program that copies."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def tables(self) -> dict[str, Table]:
        names = [name for (name,) in self._connection.execute(_TABLES) if name not in BOOKKEEPING]
        return {name: self._table(name) for name in names}

    async def count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").get)

    async def rows(self, table: Table, after: tuple[int | str, ...], limit: int) -> list[Row]:
        key, columns = ", ".join(table.key), ", ".join(f'"{column}"' for column in table.columns)
        beyond = f"WHERE ({key}) > ({', '.join('?' * len(after))})" if after else ""
        statement = f"SELECT {columns} FROM {table.name} {beyond} ORDER BY {key} LIMIT {limit}"
        return list(self._connection.execute(statement, after))

    async def fetch(self, statement: str) -> list[Row]:
        return list(self._connection.execute(statement))

    async def serials(self) -> dict[str, int]:
        numbered = {name for (name,) in self._connection.execute(_NUMBERED)}
        given = dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence")) if numbered else {}
        return {name: int(given.get(name, 0)) for name in numbered}

    async def mark(self) -> Mark | None:
        if not self._connection.table_exists("main", "copying"):
            return None
        return Mark.from_json(json.loads(self._connection.execute("SELECT mark FROM copying").get))

    async def begin(self, mark: Mark) -> None:
        with self._connection:
            self._connection.execute(_BEGIN, {"unfinished": UNFINISHED_COPY})
            self._remember(mark)

    async def clear(self, tables: Sequence[Table], mark: Mark) -> None:
        with self._connection:
            for table in reversed(tables):
                self._connection.execute(f"DELETE FROM {table.name}")
            self._remember(mark)

    async def put(self, table: Table, rows: Sequence[Row], mark: Mark) -> None:
        columns, places = ", ".join(f'"{column}"' for column in table.columns), ", ".join("?" * len(table.columns))
        with self._connection:
            self._connection.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({places})", rows)
            self._remember(mark)

    async def go_on_from(self, serials: Mapping[str, int]) -> None:
        with self._connection:
            for table, own in (await self.serials()).items():
                if not (last := max(own, serials.get(table, 0))):
                    continue
                self._connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
                self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    async def end(self) -> None:
        if await self.mark() is None:
            return
        with self._connection:
            self._connection.execute(_END)

    def _remember(self, mark: Mark) -> None:
        self._connection.execute("UPDATE copying SET mark = ?", (json.dumps(mark.as_json()),))

    def _table(self, name: str) -> Table:
        described: list[tuple[Any, ...]] = list(self._connection.execute(f"PRAGMA table_info({name})"))
        key = sorted((part, column) for _, column, _, _, _, part in described if part)
        return Table(name, tuple(sorted(row[1] for row in described)), tuple(column for _, column in key))


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(PATIENCE_MS)
    # Every connection to a file with a WAL holds it shared for as long as it is open: this lock finds them all. It must
    # be asked for before the file is first looked at.
    connection.pragma("locking_mode", "exclusive")
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("foreign_keys", True)
    connection.pragma("mmap_size", 0)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return connection


@contextmanager
def held_alone(path: Path) -> Iterator[SqliteHolding]:
    """The file, until the block ends; no other process can read or write it meanwhile.

    Raises HoldingInUse, StorageUnavailable.
    """
    if not path.exists():
        raise StorageUnavailable(f"There is no {path.name} in {path.parent}.")
    try:
        connection = _connect(path)
    except apsw.BusyError as error:
        raise HoldingInUse(
            f"a program works with {path}: stop `acervo up` or what else runs on {path.parent}"
        ) from error
    except apsw.Error as error:
        raise StorageUnavailable from error
    try:
        yield SqliteHolding(connection)
    except apsw.Error as error:
        raise StorageUnavailable(f"SQLite: {error}") from error
    finally:
        connection.close()
