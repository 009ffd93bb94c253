"""Compressed segments of vectors: which are in use, and what a new one is built of."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import AsyncIterator, Collection

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postgres.changes import LAST_SEQUENCE
from rag_server.adapters.postgres.claims import MAINTENANCE_IS_OPEN, fenced, look_up
from rag_server.adapters.postgres.jobs import insert_job
from rag_server.adapters.postgres.locks import lock_change_log, lock_document
from rag_server.adapters.postgres.publishing import CANCEL
from rag_server.adapters.postgres.steps import durably
from rag_server.adapters.tables.rows import progress_to_json, segment_from_row, vector_from_blob
from rag_server.domain.job import FOUND, Claim, JobState, Order, Progress
from rag_server.domain.segment import StoredSegment
from rag_server.ports import LeaseLost
from rag_server.segment_ports import BuiltSegment, VectorRows
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import execute, fetch_value

VERSIONS_AT_ONCE = 1_000

_IS_ASKED = f"SELECT {MAINTENANCE_IS_OPEN} FROM (SELECT $1::text AS collection) job"

_CURRENT = """
SELECT segment_id, collection, sha256, size_bytes, row_count FROM segment
WHERE collection = $1 AND state = 'CURRENT' ORDER BY segment_id
"""

_LIVING = """
WITH portion AS (
  SELECT current_version_id AS version_id FROM document
  WHERE collection = $1 AND current_version_id > $2 ORDER BY current_version_id LIMIT $3)
SELECT p.version_id, c.chunk_id FROM portion p JOIN chunk c ON c.version_id = p.version_id
"""

_ROWS = """
SELECT c.chunk_id, c.version_id, d.document_id, c.vector FROM chunk c
JOIN document d ON d.current_version_id = c.version_id WHERE c.chunk_id = ANY($1::bigint[]) ORDER BY c.chunk_id
"""

_ADD = """
INSERT INTO segment (collection, sha256, size_bytes, row_count, state, sequence, create_time)
VALUES (:collection, :sha256, :size_bytes, :row_count, 'CURRENT', :sequence, :now) RETURNING segment_id
"""

_APPEND = """
INSERT INTO change (sequence, kind, collection, document_id, version_id, segment_id, change_time)
VALUES (:sequence, 'SEGMENT', :collection, '', 0, :segment_id, :now)
"""

_RETIRE = "UPDATE segment SET state = 'RETIRED' WHERE collection = $1 AND segment_id = ANY($2::bigint[])"

_SUCCEED = """
UPDATE job SET state = 'SUCCEEDED', sequence = :sequence, progress = :progress, end_time = :now::float8,
  update_time = :now::float8, slot = NULL, lease_end = NULL, revision = revision + 2
WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING'
"""


class PostgresSegments:
    """Implements the port Segments."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def ask(self, order: Order, now: float) -> bool:
        async def is_asked(connection: Connection) -> bool:
            return bool(await connection.fetchval(_IS_ASKED, order.collection))

        async def work(connection: Connection) -> bool:
            if await is_asked(connection):
                return False
            await insert_job(connection, order, now)
            return True

        return not await self._database.read(is_asked) and await durably(self._database, "ask", work)

    async def current(self, collection: str) -> list[StoredSegment]:
        async def work(connection: Connection) -> list[StoredSegment]:
            return [segment_from_row(tuple(row)) for row in await connection.fetch(_CURRENT, collection)]

        return await self._database.read(work)

    async def living(self, collection: str) -> AsyncIterator[NDArray[np.int64]]:
        after = 0
        while len(portion := await self._portion(collection, after)):
            after = int(portion[:, 0].max())
            yield portion[:, 1]

    async def rows(self, chunk_ids: NDArray[np.int64]) -> VectorRows:
        async def work(connection: Connection) -> VectorRows:
            found = await connection.fetch(_ROWS, chunk_ids.tolist())
            return VectorRows(
                np.array([row[0] for row in found], np.int64),
                np.array([row[1] for row in found], np.int64),
                [row[2] for row in found],
                np.stack([vector_from_blob(row[3]) for row in found]) if found else np.empty((0, 0), np.float32),
            )

        return await self._database.read(work)

    async def publish(self, claim: Claim, built: BuiltSegment | None, replaced: Collection[int], now: float) -> int:
        async def work(connection: Connection) -> int:
            await lock_document(connection, claim.job.order.collection, "")
            job = await look_up(connection, claim)
            if job.left_now(FOUND | {JobState.CANCELLED}, now):
                return job.sequence
            if job.state is not JobState.RUNNING:
                raise LeaseLost
            if job.cancel_requested:
                await execute(connection, CANCEL, fenced(claim, now=now))
                return 0
            await connection.execute(_RETIRE, claim.job.order.collection, sorted(replaced))
            return await _publish(connection, claim, built, now)

        return await durably(self._database, "publish_segment", work)

    async def _portion(self, collection: str, after: int) -> NDArray[np.int64]:
        """(n, 2): versions and their chunks."""

        async def work(connection: Connection) -> NDArray[np.int64]:
            rows = await connection.fetch(_LIVING, collection, after, VERSIONS_AT_ONCE)
            return np.array([tuple(row) for row in rows], np.int64).reshape(-1, 2)

        return await self._database.read(work)


async def _publish(connection: Connection, claim: Claim, built: BuiltSegment | None, now: float) -> int:
    rows = sequence = 0
    if built is not None:
        await lock_change_log(connection)
        rows, sequence = built.row_count, int(await connection.fetchval(LAST_SEQUENCE)) + 1
        bindings = {
            "collection": claim.job.order.collection,
            "sha256": built.blob.sha256,
            "size_bytes": built.blob.size_bytes,
            "row_count": rows,
            "sequence": sequence,
            "now": now,
        }
        segment_id = await fetch_value(connection, _ADD, bindings)
        await execute(connection, _APPEND, {**bindings, "segment_id": segment_id})
    progress = progress_to_json(Progress(chunks_done=rows, chunks_total=rows))
    await execute(connection, _SUCCEED, fenced(claim, sequence=sequence, progress=progress, now=now))
    return sequence
