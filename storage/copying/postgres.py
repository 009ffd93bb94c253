"""A schema of a PostgreSQL database as one side of a copy."""

# ruff: noqa: S608 - names come from the database's own catalogue, values are always bound.

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from storage.copying.holding import BOOKKEEPING, CopyRefused, HoldingInUse, Mark, Row, Table
from storage.postgres_address import Limits, read_address
from storage.revisions import UNFINISHED_COPY
from storage.unavailable import StorageUnavailable

NAME = "acervo copy"  # what the server's own views call it

# A copy holds one lock per schema for as long as its session lives; servers have a name that begins like ours.
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('acervo copy of ' || $1, 0))"
_OTHERS = """
SELECT string_agg(DISTINCT application_name, ', ') FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'acervo %' AND application_name NOT LIKE $1 || '%'
"""
_COLUMNS = """
SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
WHERE table_schema = $1 ORDER BY table_name, column_name COLLATE "C"
"""
_KEY = """
SELECT a.attname::text FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS part(number, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.number
WHERE i.indisprimary AND i.indrelid = $1::regclass ORDER BY part.place
"""
_BEGIN = """
CREATE TABLE copying AS SELECT version_num, works_with, ''::text AS mark FROM alembic_version;
UPDATE alembic_version SET version_num = '{unfinished}', works_with = ''
"""
_END = """
UPDATE alembic_version SET version_num = copying.version_num, works_with = copying.works_with FROM copying;
DROP TABLE copying
"""


class PostgresHolding:
    """Source and target."""

    def __init__(self, connection: asyncpg.Connection, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._flags: dict[str, tuple[int, ...]] = {}  # by table, the places of its boolean columns

    async def tables(self) -> dict[str, Table]:
        types: dict[str, dict[str, str]] = {}
        for table, column, type_ in await self._connection.fetch(_COLUMNS, self._schema):
            if table not in BOOKKEEPING:
                types.setdefault(table, {})[column] = type_
        for table, columns in types.items():
            self._flags[table] = tuple(place for place, type_ in enumerate(columns.values()) if type_ == "boolean")
        return {table: Table(table, tuple(columns), await self._key(table)) for table, columns in types.items()}

    async def count(self, table: str) -> int:
        return int(await self._connection.fetchval(f"SELECT count(*) FROM {table}"))

    async def rows(self, table: Table, after: tuple[int | str, ...], limit: int) -> list[Row]:
        key, columns = ", ".join(table.key), ", ".join(f'"{column}"' for column in table.columns)
        places = ", ".join(f"${place}" for place in range(1, len(after) + 1))
        beyond = f"WHERE ({key}) > ({places})" if after else ""
        statement = f"SELECT {columns} FROM {table.name} {beyond} ORDER BY {key} LIMIT {limit}"
        return [self._plain(table, row) for row in await self._connection.fetch(statement, *after)]

    async def fetch(self, statement: str) -> list[Row]:
        return [tuple(row) for row in await self._connection.fetch(statement)]

    async def serials(self) -> dict[str, int]:
        last: dict[str, int] = {}
        for table, sequence in (await self._sequences()).items():
            value, was_given = await self._connection.fetchrow(f"SELECT last_value, is_called FROM {sequence}")
            last[table] = value if was_given else 0
        return last

    async def mark(self) -> Mark | None:
        if not await self._connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{self._schema}.copying"):
            return None
        return Mark.from_json(json.loads(await self._connection.fetchval("SELECT mark FROM copying")))

    async def begin(self, mark: Mark) -> None:
        async with self._connection.transaction():
            await self._connection.execute(_BEGIN.format(unfinished=UNFINISHED_COPY))
            await self._remember(mark)

    async def clear(self, tables: Sequence[Table], mark: Mark) -> None:
        async with self._connection.transaction():
            await self._connection.execute(f"TRUNCATE {', '.join(table.name for table in tables)}")
            await self._remember(mark)

    async def put(self, table: Table, rows: Sequence[Row], mark: Mark) -> None:
        async with self._connection.transaction():
            await self._connection.copy_records_to_table(
                table.name, records=[self._typed(table, row) for row in rows], columns=table.columns
            )
            await self._remember(mark)

    async def go_on_from(self, serials: Mapping[str, int]) -> None:
        tables = await self.tables()
        for table, sequence in (await self._sequences()).items():
            (number,) = tables[table].key
            highest = await self._connection.fetchval(f"SELECT coalesce(max({number}), 0) FROM {table}")
            last = max(highest, serials.get(table, 0))
            await self._connection.execute(
                "SELECT setval($1::text::regclass, $2, $3)", sequence, max(last, 1), last > 0
            )

    async def end(self) -> None:
        if await self.mark() is None:
            return
        async with self._connection.transaction():
            await self._connection.execute(_END)

    async def _sequences(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for table in (await self.tables()).values():
            if len(table.key) == 1:
                name = await self._connection.fetchval(
                    "SELECT pg_get_serial_sequence($1, $2)", f"{self._schema}.{table.name}", table.key[0]
                )
                found |= {table.name: name} if name else {}
        return found

    async def _key(self, table: str) -> tuple[str, ...]:
        return tuple(row[0] for row in await self._connection.fetch(_KEY, f"{self._schema}.{table}"))

    async def _remember(self, mark: Mark) -> None:
        await self._connection.execute("UPDATE copying SET mark = $1", json.dumps(mark.as_json()))

    def _plain(self, table: Table, row: asyncpg.Record) -> Row:
        flags = self._flags[table.name]
        return (
            tuple(int(value) if place in flags else value for place, value in enumerate(row)) if flags else tuple(row)
        )

    def _typed(self, table: Table, row: Row) -> Row:
        flags = self._flags[table.name]
        return tuple(bool(value) if place in flags else value for place, value in enumerate(row)) if flags else row


@dataclass(frozen=True, slots=True)
class Schema:
    """Which schema of which database."""

    url: str
    name: str


@asynccontextmanager
async def held_still(schema: Schema) -> AsyncIterator[PostgresHolding]:
    """The schema to read from, all of it as it is now. Raises HoldingInUse, CopyRefused, StorageUnavailable."""
    async with _connected(schema) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield PostgresHolding(connection, schema.name)


@asynccontextmanager
async def held_to_write(schema: Schema) -> AsyncIterator[PostgresHolding]:
    """The schema to write to. Raises HoldingInUse, CopyRefused, StorageUnavailable."""
    async with _connected(schema) as connection:
        yield PostgresHolding(connection, schema.name)


@asynccontextmanager
async def _connected(schema: Schema) -> AsyncIterator[asyncpg.Connection]:
    address = read_address(schema.url)
    if address.bouncer:
        raise CopyRefused("a copy needs a session of its own: give the address of the server, not that of pgbouncer")
    settings = {"application_name": NAME, "search_path": schema.name, "statement_timeout": "0"}
    settings["idle_in_transaction_session_timeout"] = "0"
    try:
        connection = await asyncpg.connect(address.dsn, timeout=Limits().connect_s, server_settings=settings)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise CopyRefused(f"the database does not let this program in: {error}") from error
    except (OSError, asyncpg.PostgresError) as error:
        raise StorageUnavailable from error
    try:
        await _refuse_others(connection, schema.name)
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise CopyRefused(f"the database refused it ({error}): copy as the role that owns the tables") from error
    except asyncpg.CharacterNotInRepertoireError as error:
        raise CopyRefused(f"PostgreSQL cannot keep a text of the source: {error}") from error
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError) as error:
        raise StorageUnavailable from error
    finally:
        await connection.close(timeout=Limits().connect_s)


async def _refuse_others(connection: asyncpg.Connection, schema: str) -> None:
    if others := await connection.fetchval(_OTHERS, NAME):
        raise HoldingInUse(f"programs work with the database ({others}): stop them first")
    if not await connection.fetchval(_LOCK, schema):
        raise HoldingInUse(f"another copy of {schema} is under way in this database")
