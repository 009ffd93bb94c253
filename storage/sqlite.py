"""SQLite as both services use it: one writer in a thread of its own, a few readers, every commit on the disk.

The writer joins works that wait into one transaction, each under a savepoint of its own, so that a hundred small
writes at once cost one fsync (group commit; DeWitt et al., "Implementation techniques for main memory database
systems", 1984).
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import apsw

from serving.errors import Unusable
from storage.unavailable import StorageUnavailable

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

MINIMUM_SQLITE = (3, 51, 3)  # older ones can corrupt a WAL that two processes write to
BUSY_TIMEOUT_MS = 10_000
GROUP_LIMIT = 64  # works in one transaction
READERS = 4
CHECKPOINT_PAGES = 4_000  # 16 MB: what many small commits change again and again is written back once


class OutdatedSqlite(Unusable):
    """The SQLite library is too old to be trusted with two processes on one file."""


@dataclass(frozen=True, slots=True)
class _Pending:
    work: Work[Any]
    answer: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


Outcome = tuple[Any, Exception | None]


class Database:
    """A database file. Works are plain functions of a connection; they run in other threads, never in the caller's.

    A work may run again after a failed commit, whose outcome nobody knows: it must look up by key what it did.
    """

    def __init__(self, path: Path, *, checkpoints: bool = True) -> None:
        """Open or create the file. Of several processes on it, one folds the WAL back: the one with `checkpoints`.

        Raises OutdatedSqlite, apsw.Error.
        """
        version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
        if version < MINIMUM_SQLITE:
            raise OutdatedSqlite(f"SQLite {apsw.sqlite_lib_version()} is too old: 3.51.3 or newer is needed")
        self._path = path
        self._checkpoints = checkpoints
        self._writer = connect(path, checkpoints=checkpoints)
        self._local = threading.local()
        self._reading: list[apsw.Connection] = []  # of all threads
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix=f"{path.stem}-read")
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_loop, name=f"{path.stem}-write", daemon=True)
        self._thread.start()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once it is on the disk.

        What the work raises undoes the work alone and is raised here. Raises StorageUnavailable where the disk fails.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Pending(work, answer, loop))
        # A transaction that is under way cannot be called back: a cancelled caller just no longer waits for it.
        return await answer

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot and return its result. Raises StorageUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_here, work)

    def read_here(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot, in the calling thread. Raises StorageUnavailable."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, checkpoints=False)
            connection.pragma("query_only", True)
            self._reading.append(connection)
        try:
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("COMMIT")
        except apsw.Error as error:
            raise StorageUnavailable from error

    async def close(self) -> None:
        """Finish the works that wait, then fold the WAL back and close."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._readers.shutdown()
        for connection in self._reading:
            connection.close()
        self._writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _write_loop(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            group = [first]
            last = False
            while len(group) < GROUP_LIMIT and not last:
                try:
                    pending = self._queue.get_nowait()
                except queue.Empty:
                    break
                last = pending is None
                if pending is not None:
                    group.append(pending)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Pending]) -> None:
        """Run the group in one transaction; once more, on a new connection, where the disk failed under it."""
        for attempt in (1, 2):
            try:
                outcomes = self._transaction(group)
            except apsw.Error as error:
                self._reopen()
                if attempt == 1:
                    continue
                unavailable = StorageUnavailable()
                unavailable.__cause__ = error
                outcomes = [(None, unavailable)] * len(group)
            _tell(group, outcomes)
            return

    def _transaction(self, group: list[_Pending]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        self._writer.execute("BEGIN IMMEDIATE")
        for pending in group:
            self._writer.execute("SAVEPOINT work")
            try:
                outcomes.append((pending.work(self._writer), None))
            except (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.BusyError):
                raise  # the disk's matter, not the work's; SQLite has rolled back already
            except Exception as error:  # noqa: BLE001 - handed to the caller that waits for this work
                outcomes.append((None, error))
                self._writer.execute("ROLLBACK TO work")
            self._writer.execute("RELEASE work")
        self._writer.execute("COMMIT")
        return outcomes

    def _reopen(self) -> None:
        """Drop the connection: an error from COMMIT is an unknown outcome, and only a new look tells."""
        try:
            self._writer.close(True)
            self._writer = connect(self._path, checkpoints=self._checkpoints)
        except apsw.Error:
            # The next work fails on the closed connection and tries again.
            return


def _tell(group: list[_Pending], outcomes: list[Outcome]) -> None:
    """Each caller its outcome, in its loop; each loop is woken once."""
    told: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for pending, outcome in zip(group, outcomes, strict=True):
        told.setdefault(pending.loop, []).append((pending.answer, outcome))
    for loop, answers in told.items():
        with suppress(RuntimeError):  # the loop has ended, and whoever waited in it
            loop.call_soon_threadsafe(_answer, answers)


def _answer(answers: list[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for answer, (result, raised) in answers:
        if answer.done():
            continue  # the caller no longer waits
        if raised is None:
            answer.set_result(result)
        else:
            answer.set_exception(raised)


def connect(path: Path, *, checkpoints: bool) -> apsw.Connection:
    """A connection with the settings that durability rests on."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("foreign_keys", True)
    connection.pragma("mmap_size", 0)
    connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES if checkpoints else 0)
    return connection
