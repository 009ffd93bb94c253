"""PostgreSQL as both services use it: one pool in an event loop of its own thread, short transactions, tried again.

Plain threads and any event loop share the pool. Nothing is set for longer than a transaction and no lock outlives one,
so that the sessions may be lent by a pgbouncer in transaction mode.
"""

import asyncio
import random
import re
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Self, TypeAlias, TypeVar

import asyncpg
import uvloop

from storage.postgres_address import Address, Limits, read_address
from storage.unavailable import StorageUnavailable

T = TypeVar("T")
Connection: TypeAlias = asyncpg.Connection
Work = Callable[[Connection], Awaitable[T]]

MOST_CONFLICTS = 12  # of one work with others, before it is given up
FIRST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.5
CLOSING_S = 10.0
_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")

# Two works were in each other's way, or the tables changed under a prepared statement. The work that lost runs again,
# and finds what the other one did.
_CONFLICTS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,
    asyncpg.InvalidCachedStatementError,
)
# The connection or the server has gone, or is not there yet: another try may find it.
_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,  # it was the primary before a failover
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says when a session is ended in the middle of an answer
    OSError,
)
# What took too long has waited enough; the rest is for an operator to mend.
_HOPELESS = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    TimeoutError,
)


class PostgresDatabase:
    """A schema of a PostgreSQL database. Works are coroutines of a connection; they run in this object's own thread.

    A work may run again after a conflict, or after a commit whose outcome nobody knows: it must look up by key what it
    did. It must not wait for anything but the connection.
    """

    def __init__(self, url: str, schema: str, name: str, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        """Connects when it is first needed. `name` is what the server's own views call this process.

        Raises SettingsError.
        """
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"{schema!r} is no name of a schema")
        self._limits = limits
        self._begin_write = f"BEGIN ISOLATION LEVEL READ COMMITTED; {_for_one_transaction(schema, limits)}"
        self._begin_read = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_for_one_transaction(schema, limits)}"
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"{schema}-postgres", daemon=True)
        self._thread.start()
        self._pool = self._call(_open_pool(read_address(url), name, limits))

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once it is on the server's disk.

        Each of its statements sees what others have committed by then: what must not change meanwhile is locked first.
        What the work raises undoes it and is raised here. Raises StorageUnavailable.
        """
        future = asyncio.run_coroutine_threadsafe(self._run(self._begin_write, work), self._loop)
        # A transaction that is under way cannot be called back: a cancelled caller just no longer waits for it.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot and return its result. Raises StorageUnavailable."""
        future = asyncio.run_coroutine_threadsafe(self._run(self._begin_read, work), self._loop)
        return await asyncio.wrap_future(future)

    def read_here(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot; the calling thread waits. Raises StorageUnavailable."""
        return self._call(self._run(self._begin_read, work))

    def write_here(self, work: Work[T]) -> T:
        """As `write`; the calling thread waits, and is none of an event loop."""
        return self._call(self._run(self._begin_write, work))

    async def close(self) -> None:
        """Finish the works that are under way, then end the connections."""
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _close(self) -> None:
        if not self._loop.is_closed():
            self._call(self._end_pool())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end_pool(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), CLOSING_S)
        except (TimeoutError, *_GONE):
            self._pool.terminate()

    def _call(self, coroutine: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _run(self, begin: str, work: Work[T]) -> T:
        """Try until it is done, until a conflict does not end, or until the server was away for too long."""
        give_up = self._loop.time() + self._limits.retry_s
        conflicts = tries = 0
        while True:
            try:
                return await self._attempt(begin, work)
            except _CONFLICTS:
                conflicts += 1
                if conflicts >= MOST_CONFLICTS:
                    raise
            except _HOPELESS as error:
                raise StorageUnavailable from error
            except _GONE as error:
                if self._loop.time() >= give_up:
                    raise StorageUnavailable from error
            await asyncio.sleep(_pause_s(tries))
            tries += 1

    async def _attempt(self, begin: str, work: Work[T]) -> T:
        connection = await self._pool.acquire(timeout=self._limits.connect_s)
        try:
            try:
                await connection.execute(begin)
                result = await work(connection)
            except Exception as error:
                if not isinstance(error, _GONE):
                    await connection.execute("ROLLBACK")
                raise
            ended = await connection.execute("COMMIT")
        except (*_GONE, asyncio.CancelledError):
            # An error from COMMIT is an unknown outcome, and what was cancelled may still run: the session goes.
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection)
        if ended != "COMMIT":
            raise RuntimeError("a work went on after a statement of it had failed")
        return result


async def _open_pool(address: Address, name: str, limits: Limits) -> asyncpg.Pool:
    # Beyond what the server allows a statement, so that only a server that vanished is given up by this end.
    patience_s = limits.statement_s + limits.connect_s
    return await asyncpg.create_pool(
        address.dsn,
        min_size=0,
        max_size=limits.connections,
        timeout=limits.connect_s,
        command_timeout=patience_s,
        statement_cache_size=address.statements_cached,
        server_settings={"application_name": name},
        reset=_nothing_is_left,
    )


async def _nothing_is_left(connection: Connection) -> None:
    """Nothing is set for a session, so there is nothing to reset, which would cost a round trip per transaction."""
    if connection.is_in_transaction():
        connection.terminate()


def _for_one_transaction(schema: str, limits: Limits) -> str:
    settings = {
        "search_path": schema,
        "statement_timeout": f"{limits.statement_s * 1000:.0f}",
        "lock_timeout": f"{limits.lock_s * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{limits.idle_in_transaction_s * 1000:.0f}",
    }
    return "; ".join(f"SET LOCAL {name} TO {value}" for name, value in settings.items())


def _pause_s(tries: int) -> float:
    """At once the first time: a connection that lay idle may just have been closed. Then longer and longer."""
    if tries == 0:
        return 0.0
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**tries) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
