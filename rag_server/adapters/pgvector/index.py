"""The HNSW index over the vectors: built beside everything else, by one server at a time."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import asyncpg

from serving import logs
from storage.postgres_address import Limits, read_address
from storage.unavailable import StorageUnavailable

LOG = logs.get(__name__)
LOOK_S = 5.0  # where another server builds
AGAIN_S = 60.0  # after a failure
TELL_S = 10.0
NAME = "ix_nearest_chunk_vector"

_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
_EXTENSION = (
    "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'"
)
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('acervo vector index of ' || $1, 0))"
_BUILD = (
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {schema}.nearest_chunk"
    " USING hnsw (vector {extension}.halfvec_ip_ops) WITH (m = 16, ef_construction = 100)"
)
_PROGRESS = """
SELECT phase, blocks_done, blocks_total, tuples_done FROM pg_stat_progress_create_index
WHERE relid = to_regclass($1 || '.nearest_chunk')
"""


class HnswIndex:
    """Of one table. Without it searches are right and take as long as looking at every row does."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema

    async def keep(self) -> None:
        """Return once it is there. Tries again after what may pass; a role that may not build it is told so."""
        while True:
            try:
                if await self._is_there() or await self._built():
                    return
                await asyncio.sleep(LOOK_S)
            except asyncpg.InsufficientPrivilegeError as error:
                LOG.warning("no index: start serve once as the role that owns the tables", cause=str(error))
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, StorageUnavailable) as error:
                LOG.warning("vector index not built yet", cause=str(error))
                await asyncio.sleep(AGAIN_S)

    async def _is_there(self) -> bool:
        async with self._connected() as connection:
            return bool(await connection.fetchval(_VALID, f"{self._schema}.{NAME}"))

    async def _built(self) -> bool:
        """False where another server is at it.

        The lock is held by a transaction of a second connection: what builds the index may be in none, and a lock of a
        session means nothing behind a pgbouncer. That transaction must see nothing, or it would be waited for.
        """
        async with self._connected() as guard, guard.transaction():
            if not await guard.fetchval(_ALONE, self._schema):
                return False
            await guard.execute("SELECT")  # else what was read last keeps a snapshot, which the build would wait for
            async with self._connected() as builder:
                extension = await builder.fetchval(_EXTENSION)
                if await builder.fetchval(_VALID, f"{self._schema}.{NAME}") is False:  # left by one that died
                    await builder.execute(f"DROP INDEX CONCURRENTLY {self._schema}.{NAME}")
                statement = _BUILD.format(name=NAME, schema=self._schema, extension=extension)
                LOG.info("vector index begun")
                await self._telling(builder.execute(statement))
        LOG.info("vector index built")
        return True

    async def _telling(self, building: Coroutine[None, None, str]) -> None:
        build = asyncio.create_task(building, name="vector index")
        try:
            async with self._connected() as looking:
                while not (await asyncio.wait({build}, timeout=TELL_S))[0]:
                    progress = await looking.fetchrow(_PROGRESS, self._schema)
                    if progress is not None:
                        LOG.info("vector index under way", **dict(progress))
            await build
        finally:
            build.cancel()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(
            read_address(self._url).dsn, timeout=Limits().connect_s, statement_cache_size=0,
            server_settings={"application_name": "acervo vector index"},
        )  # fmt: skip
        try:
            yield connection
        finally:
            # What is cancelled may still run: the server then gives it up with its session.
            await connection.close(timeout=Limits().connect_s)
