"""The job queue as a whole, and its pause."""

import apsw

from rag_server.adapters.sqlite.steps import durably
from rag_server.adapters.tables.queueing import LOOK, RESUME, queue_from_row
from rag_server.domain.queue import Queue
from storage.sqlite import Database

_PAUSE = """
INSERT INTO queue_state (id, pause_time) VALUES (1, ?)
ON CONFLICT (id) DO UPDATE SET pause_time = coalesce(pause_time, excluded.pause_time)
"""


class SqliteQueueing:
    """Implements the port Queueing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pause(self, now: float) -> None:
        def work(connection: apsw.Connection) -> None:
            connection.execute(_PAUSE, (now,))

        await durably(self._database, "pause", work)

    async def resume(self) -> None:
        def work(connection: apsw.Connection) -> None:
            connection.execute(RESUME)

        await durably(self._database, "resume", work)

    async def look(self, now: float) -> Queue:
        def work(connection: apsw.Connection) -> Queue:
            return queue_from_row(connection.execute(LOOK).fetchone(), now)

        return await self._database.read(work)
