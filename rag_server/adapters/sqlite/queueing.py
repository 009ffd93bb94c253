"""The job queue as a whole, and its pause."""

from typing import Any

import apsw

from rag_server.adapters.sqlite.steps import durably
from rag_server.domain.queue import Queue
from storage.sqlite import Database

# A condition on a claim.
NOT_PAUSED = "NOT EXISTS (SELECT 1 FROM queue_state WHERE pause_time IS NOT NULL)"

_PAUSE = """
INSERT INTO queue_state (id, pause_time) VALUES (1, ?)
ON CONFLICT (id) DO UPDATE SET pause_time = coalesce(pause_time, excluded.pause_time)
"""

_RESUME = "UPDATE queue_state SET pause_time = NULL"

_LOOK = """
SELECT (SELECT pause_time FROM queue_state), count(*) FILTER (WHERE state = 'QUEUED'),
  count(*) FILTER (WHERE state = 'RUNNING'), min(create_time) FILTER (WHERE state = 'QUEUED')
FROM job WHERE state IN ('QUEUED', 'RUNNING')
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
            connection.execute(_RESUME)

        await durably(self._database, "resume", work)

    async def look(self, now: float) -> Queue:
        def work(connection: apsw.Connection) -> Queue:
            row: Any = connection.execute(_LOOK).fetchone()
            pause_time, queued, running, oldest = row
            return Queue(pause_time, queued, running, None if oldest is None else max(0.0, now - oldest))

        return await self._database.read(work)
