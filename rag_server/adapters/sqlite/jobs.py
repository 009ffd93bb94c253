"""The job queue from the side of those who ask."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import Mapping
from dataclasses import replace

import apsw

from rag_server.adapters.sqlite.claims import MAINTENANCE_IS_OPEN, SUPERSEDED, end_crashed, retire_staged
from rag_server.adapters.sqlite.steps import durably
from rag_server.adapters.sqlite.unchanged import end_unchanged, standing_document
from rag_server.adapters.tables.bindings import order_values, same_request
from rag_server.adapters.tables.rows import JOB_COLUMNS, Row, job_from_row, to_json
from rag_server.domain.errors import JobEnded, JobNotFound, JobNotRetryable, RequestIdReused
from rag_server.domain.failure import FailureReason
from rag_server.domain.job import TERMINAL, Job, JobCount, JobState, Order
from rag_server.domain.pipeline import Pipeline
from rag_server.ports import JobFilter
from storage.sqlite import Database

KEPT_S = 30 * 86_400.0  # how long a job is kept after its end
PRUNED_AT_ONCE = 1_000
_NOBODY_YET = 1 << 62  # greater than any admission

_BY_ID = f"SELECT {JOB_COLUMNS} FROM job WHERE job_id = ?"
_BY_REQUEST = f"SELECT {JOB_COLUMNS} FROM job WHERE request_id = ? AND request_id <> ''"

_ADMIT = f"""
INSERT INTO job (job_id, kind, collection, document_key, file_name, sha256, size_bytes, media_type, metadata, tags,
  priority, request_id, traceparent, origin_request_id, parameters, state, revision, create_time, update_time, attempt,
  crashes, cancel_requested, fence, progress, document_id, document_version, sequence)
VALUES (:job_id, :kind, :collection, :document_key, :file_name, :sha256, :size_bytes, :media_type, :metadata, :tags,
  :priority, :request_id, :traceparent, :origin_request_id, :parameters, 'QUEUED', 1, :now, :now, 0, 0, 0, 0,
  '{{}}', '', 0, 0)
RETURNING {JOB_COLUMNS}
"""

_AHEAD = """
SELECT count(*) FROM job mine JOIN job ahead INDEXED BY ix_job_queue ON mine.job_id = ?
WHERE ahead.state = 'QUEUED' AND (ahead.priority > mine.priority
  OR (ahead.priority = mine.priority AND ahead.admission < mine.admission))
"""

_CHANGED = f"""
SELECT {JOB_COLUMNS} FROM json_each(?) known JOIN job ON job.job_id = known.key WHERE job.revision <> known.value
"""

# Every id is smaller than '~', and the comparison lets the index give the order.
_LIST = f"""
SELECT {JOB_COLUMNS} FROM job
WHERE job_id < coalesce(nullif(:before, ''), '~') AND (:any_state OR state IN (SELECT value FROM json_each(:states)))
"""

_CANCEL = f"""
UPDATE job SET state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE state END,
  end_time = CASE state WHEN 'QUEUED' THEN :now END, next_attempt_time = NULL, cancel_requested = 1,
  revision = revision + 1, update_time = :now
WHERE job_id = :job_id AND (state = 'QUEUED' OR (state = 'RUNNING' AND NOT cancel_requested))
RETURNING {JOB_COLUMNS}
"""

_RETRY = f"""
UPDATE job SET state = 'QUEUED', attempt = 0, crashes = 0, cancel_requested = 0, failure = NULL, end_time = NULL,
  progress = '{{}}', revision = revision + 1, update_time = :now
WHERE job_id = :job_id AND state IN ('FAILED', 'CANCELLED', 'DEAD') AND NOT {SUPERSEDED}
  AND NOT (kind = 'MAINTENANCE' AND {MAINTENANCE_IS_OPEN})
RETURNING {JOB_COLUMNS}
"""

_COUNT_BY_REASON = """
SELECT state, coalesce(failure, problem) ->> 'reason' AS reason, count(*) FROM job GROUP BY state, reason
"""

_PRUNE = """
DELETE FROM job WHERE admission IN (SELECT admission FROM job WHERE end_time < ? ORDER BY end_time LIMIT ?)
RETURNING job_id
"""

# A tombstone keeps out only jobs that are older than it, so it may go with the last of them.
_PRUNE_TOMBSTONES = """
DELETE FROM tombstone WHERE delete_time < ? AND admission < coalesce((SELECT min(admission) FROM job), 1 << 62)
"""


class SqliteJobs:
    """Implements the port Jobs."""

    def __init__(self, database: Database, pipeline: Pipeline) -> None:
        self._database = database
        self._pipeline = pipeline

    async def admit(self, order: Order, now: float) -> Job:
        def work(connection: apsw.Connection) -> Job:
            return _equal(connection, order) or self._make(connection, order, now)

        return await durably(self._database, "admit", work)

    async def admit_known(self, order: Order, now: float) -> Job | None:
        def known(connection: apsw.Connection) -> bool:
            return _equal(connection, order) is not None or self._stands(connection, order)

        def work(connection: apsw.Connection) -> Job | None:
            if (equal := _equal(connection, order)) is not None:
                return equal
            return self._make(connection, order, now) if self._stands(connection, order) else None

        if not await self._database.read(known):
            return None
        return await durably(self._database, "admit", work)

    async def get(self, job_id: str) -> Job:
        return await self._database.read(lambda connection: _placed(connection, job_from_row(_row(connection, job_id))))

    async def changed(self, known: Mapping[str, int]) -> list[Job]:
        def work(connection: apsw.Connection) -> list[Job]:
            rows = connection.execute(_CHANGED, (to_json(dict(known)),)).fetchall()
            return [_placed(connection, job_from_row(row)) for row in rows]

        return await self._database.read(work)

    async def list_jobs(self, wanted: JobFilter, before_job_id: str, limit: int) -> list[Job]:
        statement = _LIST + ("AND collection = :collection" if wanted.collection else "")
        bindings = {
            "before": before_job_id,
            "any_state": not wanted.states,
            "states": to_json(sorted(wanted.states)),
            "collection": wanted.collection,
            "limit": limit,
        }

        def work(connection: apsw.Connection) -> list[Job]:
            rows = connection.execute(f"{statement} ORDER BY job_id DESC LIMIT :limit", bindings)
            return [job_from_row(row) for row in rows]

        return await self._database.read(work)

    async def cancel(self, job_id: str, now: float) -> Job:
        def work(connection: apsw.Connection) -> Job:
            row = connection.execute(_CANCEL, {"job_id": job_id, "now": now}).fetchone()
            job = job_from_row(row or _row(connection, job_id))
            if job.state in TERMINAL - {JobState.CANCELLED}:
                raise JobEnded
            if job.state is JobState.CANCELLED:
                retire_staged(connection, [job_id])
            return job

        return await durably(self._database, "cancel", work)

    async def retry(self, job_id: str, now: float) -> Job:
        def work(connection: apsw.Connection) -> Job:
            row = connection.execute(_RETRY, {"job_id": job_id, "now": now}).fetchone()
            return job_from_row(row) if row else _retried(connection, job_id, now)

        return await durably(self._database, "retry", work)

    async def sweep(self, now: float) -> int:
        def work(connection: apsw.Connection) -> int:
            return end_crashed(connection, "lease_end < :now", {}, now)

        return await durably(self._database, "sweep", work)

    async def prune(self, now: float) -> int:
        def work(connection: apsw.Connection) -> int:
            rows = connection.execute(_PRUNE, (now - KEPT_S, PRUNED_AT_ONCE)).fetchall()
            retire_staged(connection, [str(row[0]) for row in rows])
            connection.execute(_PRUNE_TOMBSTONES, (now - KEPT_S,))
            return len(rows)

        return await durably(self._database, "prune", work)

    async def counts(self) -> Mapping[JobState, int]:
        def work(connection: apsw.Connection) -> Mapping[JobState, int]:
            rows = connection.execute("SELECT state, count(*) FROM job GROUP BY state")
            return {JobState(state): count for state, count in rows}

        return await self._database.read(work)

    async def count_by_reason(self) -> list[JobCount]:
        def work(connection: apsw.Connection) -> list[JobCount]:
            rows = connection.execute(_COUNT_BY_REASON)
            return [JobCount(JobState(row[0]), FailureReason(row[1]) if row[1] else None, row[2]) for row in rows]

        return await self._database.read(work)

    def _stands(self, connection: apsw.Connection, order: Order) -> bool:
        return standing_document(connection, order, self._pipeline, _NOBODY_YET) is not None

    def _make(self, connection: apsw.Connection, order: Order, now: float) -> Job:
        # Looked up before the job is there, which would be under way itself.
        standing = standing_document(connection, order, self._pipeline, _NOBODY_YET)
        job = insert_job(connection, order, now)
        if standing is None:
            return job
        end_unchanged(connection, standing, order.job_id, now)
        return job_from_row(_row(connection, order.job_id))


def insert_job(connection: apsw.Connection, order: Order, now: float) -> Job:
    """A new job that waits."""
    row = connection.execute(_ADMIT, order_values(order, now)).fetchone()
    assert row is not None  # noqa: S101 - an INSERT returns its row
    return job_from_row(row)


def _placed(connection: apsw.Connection, job: Job) -> Job:
    """With its place in the queue, where it waits."""
    if job.state is not JobState.QUEUED:
        return job
    return replace(job, queue_position=connection.execute(_AHEAD, (job.order.job_id,)).get)


def _equal(connection: apsw.Connection, order: Order) -> Job | None:
    """The job that stands for the order already. Raises RequestIdReused."""
    row = connection.execute(_BY_ID, (order.job_id,)).fetchone()
    if row is not None:
        return job_from_row(row)
    row = connection.execute(_BY_REQUEST, (order.request_id,)).fetchone()
    if row is None:
        return None
    job = job_from_row(row)
    if not same_request(job.order, order):
        raise RequestIdReused
    return job


def _row(connection: apsw.Connection, job_id: str) -> Row:
    row: Row | None = connection.execute(_BY_ID, (job_id,)).fetchone()
    if row is None:
        raise JobNotFound(name=f"jobs/{job_id}")
    return row


def _retried(connection: apsw.Connection, job_id: str, now: float) -> Job:
    """The job if this very call has queued it already; a work runs again after a commit whose outcome is unknown."""
    job = job_from_row(_row(connection, job_id))
    if job.state is JobState.QUEUED and job.update_time == now:
        return job
    if job.state in (JobState.FAILED, JobState.CANCELLED, JobState.DEAD):
        raise JobNotRetryable("The document was uploaded again or deleted since: upload the file instead.")
    raise JobNotRetryable
