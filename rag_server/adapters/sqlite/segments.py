"""Compressed segments of vectors: which are in use, and what a new one is built of."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import AsyncIterator, Collection, Mapping
from functools import partial

import apsw
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.sqlite.changes import LAST_SEQUENCE
from rag_server.adapters.sqlite.claims import MAINTENANCE_IS_OPEN, fenced, look_up
from rag_server.adapters.sqlite.jobs import insert_job
from rag_server.adapters.sqlite.publishing import CANCEL
from rag_server.adapters.sqlite.steps import durably
from rag_server.adapters.tables.rows import Row, progress_to_json, segment_from_row, to_json, vector_from_blob
from rag_server.domain.job import FOUND, Claim, JobState, Order, Progress
from rag_server.domain.segment import StoredSegment
from rag_server.ports import LeaseLost
from rag_server.segment_ports import BuiltSegment, VectorRows
from storage.sqlite import Database

VERSIONS_AT_ONCE = 1_000

_IS_ASKED = f"SELECT {MAINTENANCE_IS_OPEN} FROM (SELECT ? AS collection) job"

_CURRENT = """
SELECT segment_id, collection, sha256, size_bytes, row_count FROM segment
WHERE collection = ? AND state = 'CURRENT' ORDER BY segment_id
"""

# The plus keeps SQLite from sorting all documents of the collection for every portion.
_LIVING = """
WITH portion AS (
  SELECT current_version_id AS version_id FROM document
  WHERE +collection = :collection AND current_version_id > :after ORDER BY current_version_id LIMIT :limit)
SELECT p.version_id, c.chunk_id FROM portion p JOIN chunk c ON c.version_id = p.version_id
"""

_ROWS = """
SELECT c.chunk_id, c.version_id, d.document_id, c.vector
FROM json_each(?) asked JOIN chunk c ON c.chunk_id = asked.value
JOIN document d ON d.current_version_id = c.version_id ORDER BY c.chunk_id
"""

_ADD = """
INSERT INTO segment (collection, sha256, size_bytes, row_count, state, sequence, create_time)
VALUES (:collection, :sha256, :size_bytes, :row_count, 'CURRENT', :sequence, :now) RETURNING segment_id
"""

_APPEND = f"""
INSERT INTO change (sequence, kind, collection, document_id, version_id, segment_id, change_time)
VALUES (({LAST_SEQUENCE}) + 1, 'SEGMENT', :collection, '', 0, :segment_id, :now)
"""

_RETIRE = """
UPDATE segment SET state = 'RETIRED'
WHERE collection = :collection AND segment_id IN (SELECT value FROM json_each(:replaced))
"""

_SUCCEED = """
UPDATE job SET state = 'SUCCEEDED', sequence = :sequence, progress = :progress, end_time = :now, update_time = :now,
  slot = NULL, lease_end = NULL, revision = revision + 2
WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING'
"""


class SqliteSegments:
    """Implements the port Segments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, order: Order, now: float) -> bool:
        def is_asked(connection: apsw.Connection) -> bool:
            return bool(connection.execute(_IS_ASKED, (order.collection,)).get)

        def work(connection: apsw.Connection) -> bool:
            if is_asked(connection):
                return False
            insert_job(connection, order, now)
            return True

        return not await self._database.read(is_asked) and await durably(self._database, "ask", work)

    async def current(self, collection: str) -> list[StoredSegment]:
        def work(connection: apsw.Connection) -> list[StoredSegment]:
            return [segment_from_row(row) for row in connection.execute(_CURRENT, (collection,))]

        return await self._database.read(work)

    async def living(self, collection: str) -> AsyncIterator[NDArray[np.int64]]:
        after = 0
        while True:
            bindings: dict[str, str | int] = {"collection": collection, "after": after, "limit": VERSIONS_AT_ONCE}
            portion = await self._database.read(partial(_portion, bindings))
            if not len(portion):
                return
            after = int(portion[:, 0].max())
            yield portion[:, 1]

    async def rows(self, chunk_ids: NDArray[np.int64]) -> VectorRows:
        def work(connection: apsw.Connection) -> VectorRows:
            found: list[Row] = list(connection.execute(_ROWS, (to_json(chunk_ids.tolist()),)))
            return VectorRows(
                np.array([row[0] for row in found], np.int64),
                np.array([row[1] for row in found], np.int64),
                [row[2] for row in found],
                np.stack([vector_from_blob(row[3]) for row in found]) if found else np.empty((0, 0), np.float32),
            )

        return await self._database.read(work)

    async def publish(self, claim: Claim, built: BuiltSegment | None, replaced: Collection[int], now: float) -> int:
        def work(connection: apsw.Connection) -> int:
            job = look_up(connection, claim)
            if job.left_now(FOUND | {JobState.CANCELLED}, now):
                return job.sequence
            if job.state is not JobState.RUNNING:
                raise LeaseLost
            if job.cancel_requested:
                connection.execute(CANCEL, fenced(claim, now=now))
                return 0
            return _publish(connection, claim, built, replaced, now)

        return await durably(self._database, "publish_segment", work)


def _portion(bindings: Mapping[str, str | int], connection: apsw.Connection) -> NDArray[np.int64]:
    """(n, 2): versions and their chunks."""
    return np.array(connection.execute(_LIVING, bindings).fetchall(), np.int64).reshape(-1, 2)


def _publish(
    connection: apsw.Connection, claim: Claim, built: BuiltSegment | None, replaced: Collection[int], now: float
) -> int:
    collection = claim.job.order.collection
    connection.execute(_RETIRE, {"collection": collection, "replaced": to_json(sorted(replaced))})
    rows = sequence = 0
    if built is not None:
        rows, sequence = built.row_count, int(connection.execute(LAST_SEQUENCE).get) + 1
        bindings = {
            "collection": collection,
            "sha256": built.blob.sha256,
            "size_bytes": built.blob.size_bytes,
            "row_count": rows,
            "sequence": sequence,
            "now": now,
        }
        segment_id = connection.execute(_ADD, bindings).get
        connection.execute(_APPEND, {"collection": collection, "segment_id": segment_id, "now": now})
    progress = progress_to_json(Progress(chunks_done=rows, chunks_total=rows))
    connection.execute(_SUCCEED, fenced(claim, sequence=sequence, progress=progress, now=now))
    return sequence
