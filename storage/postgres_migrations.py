"""Brings a schema of a PostgreSQL database to the tables that this program needs.

The SQL of the revisions runs in one transaction, which PostgreSQL allows for tables too, under a lock that all who
migrate this schema wait for. Each change of the tables says which programs may still work with it: see
docs/decisions/0019-postgresql.md.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from serving.errors import Unusable
from storage.postgres_address import Limits, read_address
from storage.revisions import BEFORE_THE_FIRST, newer_database, render, revisions, scripts
from storage.unavailable import StorageUnavailable

WAIT_FOR_OTHERS_S = 120.0  # who migrate the same schema
LOCK_TIMEOUT_MS = 10_000  # for a table: a migration that waits makes everybody behind it wait
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# Of the first revision whose programs may work with the tables as they are: an attribute of a revision's file.
_WORKS_WITH = "works_with"

_EXISTS = "SELECT to_regclass($1 || '.alembic_version') IS NOT NULL"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('acervo migration of ' || $1, 0))"
_REMEMBER = """
CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT NOT NULL PRIMARY KEY, works_with TEXT NOT NULL DEFAULT '');
DELETE FROM alembic_version
"""
_GRANTS = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
REVOKE INSERT, UPDATE, DELETE ON {schema}.alembic_version FROM {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {role}
"""


class RefusedByDatabase(Unusable):
    """The database does not let this program in, or does not let it do what it must. The message says which."""


async def upgrade(url: str, schema: str, script_location: Path) -> None:
    """Make the schema or bring it up to date; needs no right to do so where there is nothing to do.

    Raises NewerDatabase, RefusedByDatabase, StorageUnavailable.
    """
    newest = revisions(script_location)[-1]
    async with _connected(url) as connection:
        present = await _usable_revision(connection, schema, script_location)
    if present is not None and present != newest:
        await migrate(url, schema, script_location, newest)


async def present_revision(url: str, schema: str, script_location: Path) -> str:
    """Where the tables are. Raises NewerDatabase, RefusedByDatabase, StorageUnavailable."""
    known = revisions(script_location)
    async with _connected(url) as connection:
        present = await _revision(connection, schema)
    if present not in known:
        raise newer_database(f"schema {schema}", present, known[-1])
    return present


async def migrate(url: str, schema: str, script_location: Path, target: str) -> None:
    """Bring the schema to the revision `target`, up or down, in one transaction.

    Raises NewerDatabase, RefusedByDatabase, StorageUnavailable, asyncpg.PostgresError.
    """
    known = revisions(script_location)
    async with _connected(url) as connection, connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO '{WAIT_FOR_OTHERS_S}s'")
        await connection.execute(_LOCK, schema)
        # Looked at now: another process may have done it while this one waited for the lock.
        present = await _revision(connection, schema)
        if present not in known:
            raise newer_database(f"schema {schema}", present, known[-1])
        if present == target:
            return
        await connection.execute(f"SET LOCAL lock_timeout TO {LOCK_TIMEOUT_MS}")
        # Asked first: IF NOT EXISTS wants the right to make schemas even where there is one.
        if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", schema):
            await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(f"SET LOCAL search_path TO {schema}")
        # Alembic loads much, and must not hold up others that run in this loop.
        await connection.execute(await asyncio.to_thread(render, script_location, present, target, "postgresql"))
        await connection.execute(_REMEMBER)
        if target != BEFORE_THE_FIRST:
            oldest = await asyncio.to_thread(_works_with, script_location, target)
            await connection.execute("INSERT INTO alembic_version VALUES ($1, $2)", target, oldest)


async def allow(url: str, schema: str, role: str) -> None:
    """Let a role work with the schema's tables, those of later migrations too, and change none of them.

    For the one who owns the tables. Raises RefusedByDatabase, StorageUnavailable.
    """
    if not _ROLE.fullmatch(role):
        raise ValueError(f"{role!r} is no name of a role")
    async with _connected(url) as connection, connection.transaction():
        await connection.execute(_GRANTS.format(schema=schema, role=role))


async def _usable_revision(connection: asyncpg.Connection, schema: str, script_location: Path) -> str | None:
    """Where the tables are; None where they are newer, and yet good for this program. Raises NewerDatabase."""
    known = revisions(script_location)
    present = await _revision(connection, schema)
    if present in known:
        return present
    works_with = await connection.fetchval(f"SELECT works_with FROM {schema}.alembic_version")  # noqa: S608 - ours
    if works_with in known:
        return None
    raise newer_database(f"schema {schema}", present, known[-1])


async def _revision(connection: asyncpg.Connection, schema: str) -> str:
    if not await connection.fetchval(_EXISTS, schema):
        return BEFORE_THE_FIRST
    present = await connection.fetchval(f"SELECT version_num FROM {schema}.alembic_version")  # noqa: S608 - ours
    return BEFORE_THE_FIRST if present is None else str(present)


def _works_with(script_location: Path, target: str) -> str:
    """The oldest revision whose programs may work with the tables at `target`."""
    oldest = target
    for script in reversed(scripts(script_location, BEFORE_THE_FIRST, target)):
        if script.revision < oldest:
            break
        oldest = getattr(script, _WORKS_WITH, script.revision)
    return oldest


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(
            read_address(url).dsn, timeout=Limits().connect_s, statement_cache_size=0,
            server_settings={"application_name": "acervo migrate"},
        )  # fmt: skip
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise RefusedByDatabase(f"the database does not let this program in: {error}") from error
    except (OSError, asyncpg.PostgresError) as error:
        raise StorageUnavailable from error
    try:
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise RefusedByDatabase(
            f"the database refused it ({error}): run `acervo migrate` as the role that owns the tables"
        ) from error
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError) as error:
        raise StorageUnavailable from error
    finally:
        await connection.close(timeout=Limits().connect_s)
