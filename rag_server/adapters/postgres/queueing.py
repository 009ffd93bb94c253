"""The job queue as a whole, and its pause."""

from rag_server.adapters.postgres.steps import durably
from rag_server.domain.queue import Queue
from storage.postgres import Connection, PostgresDatabase

_PAUSE = """
INSERT INTO queue_state (id, pause_time) VALUES (1, $1)
ON CONFLICT (id) DO UPDATE SET pause_time = coalesce(queue_state.pause_time, excluded.pause_time)
"""

_RESUME = "UPDATE queue_state SET pause_time = NULL"

_LOOK = """
SELECT (SELECT pause_time FROM queue_state), count(*) FILTER (WHERE state = 'QUEUED'),
  count(*) FILTER (WHERE state = 'RUNNING'), min(create_time) FILTER (WHERE state = 'QUEUED')
FROM job WHERE state IN ('QUEUED', 'RUNNING')
"""


class PostgresQueueing:
    """Implements the port Queueing."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def pause(self, now: float) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(_PAUSE, now)

        await durably(self._database, "pause", work)

    async def resume(self) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(_RESUME)

        await durably(self._database, "resume", work)

    async def look(self, now: float) -> Queue:
        async def work(connection: Connection) -> Queue:
            row = await connection.fetchrow(_LOOK)
            assert row is not None  # noqa: S101 - counting gives a row
            pause_time, queued, running, oldest = row
            return Queue(pause_time, queued, running, None if oldest is None else max(0.0, now - oldest))

        return await self._database.read(work)
