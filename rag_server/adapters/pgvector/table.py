"""The extension and the table that searching inside PostgreSQL needs: made by who searches, not by a migration."""

import asyncpg

from serving import logs
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_migrations import RefusedByDatabase

LOG = logs.get(__name__)
LEAST_VERSION = (0, 8)  # from here on HNSW goes on looking where a filter leaves too little
MOST_DIMENSIONS = 4_000  # of a halfvec that HNSW takes

_AVAILABLE = "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector')"
_INSTALLED = """
SELECT extversion, quote_ident(nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
WHERE extname = 'vector'
"""
_TYPE = """
SELECT atttypmod FROM pg_attribute
WHERE attrelid = to_regclass('nearest_chunk') AND attname = 'vector' AND NOT attisdropped
"""
# A row goes with its chunk, whoever deletes that. NULL is a zero vector, which nothing finds.
_CREATE = """
CREATE TABLE IF NOT EXISTS nearest_chunk (
  chunk_id BIGINT PRIMARY KEY REFERENCES chunk ON DELETE CASCADE,
  version_id BIGINT NOT NULL,
  collection TEXT COLLATE "C" NOT NULL,
  vector {schema}.halfvec({dimensions})
);
ALTER TABLE nearest_chunk ALTER COLUMN vector SET STORAGE PLAIN;
CREATE INDEX IF NOT EXISTS ix_nearest_chunk_version ON nearest_chunk (collection, version_id)
"""


async def prepare(database: PostgresDatabase, dimensions: int) -> str:
    """Make what is missing, and tell in which schema the extension is. Any number of servers may do so at once.

    A table for vectors of another length is of another model, which the store never held documents of: it goes.
    Raises RefusedByDatabase, StorageUnavailable.
    """
    if dimensions > MOST_DIMENSIONS:
        raise RefusedByDatabase(f"ACERVO_VECTORS=pgvector takes up to {MOST_DIMENSIONS} dimensions, not {dimensions}")

    async def work(connection: Connection) -> str:
        schema = await _extension(connection)
        present = await connection.fetchval(_TYPE)
        if present != dimensions:
            if present is not None:
                await connection.execute("DROP TABLE nearest_chunk")
            await connection.execute(_CREATE.format(schema=schema, dimensions=dimensions))
            LOG.info("table for vectors made", dimensions=dimensions)
        return schema

    try:
        return await database.write(work)
    except asyncpg.InsufficientPrivilegeError as error:
        raise RefusedByDatabase(
            f"the database refused what ACERVO_VECTORS=pgvector needs ({error}): start `serve` once as the role that "
            "owns the tables; the extension can be made by an administrator (CREATE EXTENSION vector)"
        ) from error


async def _extension(connection: Connection) -> str:
    """The schema of the extension, which is made where there is none. Raises RefusedByDatabase."""
    installed = await connection.fetchrow(_INSTALLED)
    if installed is None:
        if not await connection.fetchval(_AVAILABLE):
            raise RefusedByDatabase(
                "ACERVO_VECTORS=pgvector needs pgvector 0.8 or newer on the database server: install it there "
                "(postgresql-NN-pgvector), or unset ACERVO_VECTORS"
            )
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        installed = await connection.fetchrow(_INSTALLED)
    version, schema = installed
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_VERSION:
        raise RefusedByDatabase(
            f"ACERVO_VECTORS=pgvector needs pgvector 0.8 or newer, and this database has {version}: install it on the "
            "server, then ALTER EXTENSION vector UPDATE"
        )
    return str(schema)
