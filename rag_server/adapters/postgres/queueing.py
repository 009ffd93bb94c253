"""The job queue as a whole, and its pause."""

from rag_server.adapters.postgres.steps import durably
from rag_server.adapters.tables.queueing import LOOK, RESUME, queue_from_row
from rag_server.domain.queue import Queue
from storage.postgres import Connection, PostgresDatabase

_PAUSE = """
INSERT INTO queue_state (id, pause_time) VALUES (1, $1)
ON CONFLICT (id) DO UPDATE SET pause_time = coalesce(queue_state.pause_time, excluded.pause_time)
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
            await connection.execute(RESUME)

        await durably(self._database, "resume", work)

    async def look(self, now: float) -> Queue:
        async def work(connection: Connection) -> Queue:
            return queue_from_row(await connection.fetchrow(LOOK), now)

        return await self._database.read(work)
