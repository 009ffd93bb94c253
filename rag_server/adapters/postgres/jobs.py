"""The job queue from the side of those who ask."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import Mapping
from dataclasses import replace

from rag_server.adapters.postgres.claims import MAINTENANCE_IS_OPEN, SUPERSEDED, end_crashed, retire_staged
from rag_server.adapters.postgres.clock import DATABASE_TIME, Clock, by_the_database
from rag_server.adapters.postgres.locks import lock_document
from rag_server.adapters.postgres.steps import durably
from rag_server.adapters.postgres.unchanged import end_unchanged, standing_document
from rag_server.adapters.tables.bindings import order_values, same_request
from rag_server.adapters.tables.rows import JOB_COLUMNS, Row, job_from_row
from rag_server.domain.errors import JobEnded, JobNotFound, JobNotRetryable, RequestIdReused
from rag_server.domain.failure import FailureReason
from rag_server.domain.job import TERMINAL, Job, JobCount, JobState, Order
from rag_server.domain.pipeline import Pipeline
from rag_server.ports import JobFilter
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import execute, fetch, fetch_row

KEPT_S = 30 * 86_400.0  # how long a job is kept after its end
PRUNED_AT_ONCE = 1_000
_NOBODY_YET = 1 << 62  # greater than any admission

_BY_ID = f"SELECT {JOB_COLUMNS} FROM job WHERE job_id = :job_id"
_BY_REQUEST = f"SELECT {JOB_COLUMNS} FROM job WHERE request_id = :request_id AND request_id <> ''"

_ADMIT = f"""
INSERT INTO job (job_id, kind, collection, document_key, file_name, sha256, size_bytes, media_type, metadata, tags,
  priority, request_id, traceparent, origin_request_id, parameters, state, revision, create_time, update_time, attempt,
  crashes, cancel_requested, fence, progress, document_id, document_version, sequence)
VALUES (:job_id, :kind, :collection, :document_key, :file_name, :sha256, :size_bytes, :media_type, :metadata, :tags,
  :priority, :request_id, :traceparent, :origin_request_id, :parameters, 'QUEUED', 1, :now::float8, :now::float8, 0, 0,
  0, 0, '{{}}', '', 0, 0)
RETURNING {JOB_COLUMNS}
"""

_AHEAD = """
SELECT count(*) FROM job mine JOIN job ahead ON mine.job_id = $1
WHERE ahead.state = 'QUEUED' AND (ahead.priority > mine.priority
  OR (ahead.priority = mine.priority AND ahead.admission < mine.admission))
"""

_CHANGED = f"""
SELECT {JOB_COLUMNS} FROM unnest($1::text[], $2::bigint[]) AS known (known_id, known_revision)
JOIN job ON job_id = known_id WHERE revision <> known_revision
"""

# Every id is smaller than '~'.
_LIST = f"""
SELECT {JOB_COLUMNS} FROM job
WHERE job_id < coalesce(nullif(:before, ''), '~') AND (:any_state OR state = ANY(:states::text[]))
"""

_CANCEL = f"""
UPDATE job SET state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE state END,
  end_time = CASE state WHEN 'QUEUED' THEN :now::float8 END, next_attempt_time = NULL, cancel_requested = 1,
  revision = revision + 1, update_time = :now::float8
WHERE job_id = :job_id AND (state = 'QUEUED' OR (state = 'RUNNING' AND cancel_requested = 0))
RETURNING {JOB_COLUMNS}
"""

_RETRY = f"""
UPDATE job SET state = 'QUEUED', attempt = 0, crashes = 0, cancel_requested = 0, failure = NULL, end_time = NULL,
  progress = '{{}}', revision = revision + 1, update_time = :now::float8
WHERE job_id = :job_id AND state IN ('FAILED', 'CANCELLED', 'DEAD') AND NOT {SUPERSEDED}
  AND NOT (kind = 'MAINTENANCE' AND {MAINTENANCE_IS_OPEN})
RETURNING {JOB_COLUMNS}
"""

_COUNT_BY_REASON = """
SELECT state, coalesce(failure, problem)::json ->> 'reason' AS reason, count(*) FROM job GROUP BY state, reason
"""

_PRUNE = """
DELETE FROM job WHERE admission IN (
  SELECT admission FROM job WHERE end_time < :limit_time ORDER BY end_time LIMIT :at_once)
RETURNING job_id
"""

# A tombstone keeps out only jobs that are older than it, so it may go with the last of them.
_PRUNE_TOMBSTONES = """
DELETE FROM tombstone WHERE delete_time < :limit_time
  AND admission < coalesce((SELECT min(admission) FROM job), 1::bigint << 62)
"""


class PostgresJobs:
    """Implements the port Jobs."""

    def __init__(self, database: PostgresDatabase, pipeline: Pipeline, clock: Clock = by_the_database) -> None:
        self._database = database
        self._pipeline = pipeline
        self._clock = clock

    async def admit(self, order: Order, now: float) -> Job:
        async def work(connection: Connection) -> Job:
            await lock_document(connection, order.collection, order.document_key)
            return await _equal(connection, order) or await self._make(connection, order, now)

        return await durably(self._database, "admit", work)

    async def admit_known(self, order: Order, now: float) -> Job | None:
        async def known(connection: Connection) -> bool:
            return await _equal(connection, order) is not None or await self._stands(connection, order)

        async def work(connection: Connection) -> Job | None:
            await lock_document(connection, order.collection, order.document_key)
            if (equal := await _equal(connection, order)) is not None:
                return equal
            return await self._make(connection, order, now) if await self._stands(connection, order) else None

        if not await self._database.read(known):
            return None
        return await durably(self._database, "admit", work)

    async def get(self, job_id: str) -> Job:
        async def work(connection: Connection) -> Job:
            return await _placed(connection, job_from_row(await _row(connection, job_id)))

        return await self._database.read(work)

    async def changed(self, known: Mapping[str, int]) -> list[Job]:
        async def work(connection: Connection) -> list[Job]:
            rows = await connection.fetch(_CHANGED, list(known), list(known.values()))
            return [await _placed(connection, job_from_row(tuple(row))) for row in rows]

        return await self._database.read(work)

    async def list_jobs(self, wanted: JobFilter, before_job_id: str, limit: int) -> list[Job]:
        statement = _LIST + ("AND collection = :collection" if wanted.collection else "")
        bindings = {
            "before": before_job_id,
            "any_state": not wanted.states,
            "states": sorted(wanted.states),
            "collection": wanted.collection,
            "limit": limit,
        }

        async def work(connection: Connection) -> list[Job]:
            rows = await fetch(connection, f"{statement} ORDER BY job_id DESC LIMIT :limit", bindings)
            return [job_from_row(row) for row in rows]

        return await self._database.read(work)

    async def cancel(self, job_id: str, now: float) -> Job:
        async def work(connection: Connection) -> Job:
            row = await fetch_row(connection, _CANCEL, {"job_id": job_id, "now": now})
            job = job_from_row(row or await _row(connection, job_id))
            if job.state in TERMINAL - {JobState.CANCELLED}:
                raise JobEnded
            if job.state is JobState.CANCELLED:
                await retire_staged(connection, [job_id])
            return job

        return await durably(self._database, "cancel", work)

    async def retry(self, job_id: str, now: float) -> Job:
        async def work(connection: Connection) -> Job:
            order = job_from_row(await _row(connection, job_id)).order
            await lock_document(connection, order.collection, order.document_key)
            row = await fetch_row(connection, _RETRY, {"job_id": job_id, "now": now})
            return job_from_row(row) if row else await _retried(connection, job_id, now)

        return await durably(self._database, "retry", work)

    async def sweep(self, now: float) -> int:
        async def work(connection: Connection) -> int:
            ran_out = f"lease_end < {DATABASE_TIME}"
            return await end_crashed(connection, ran_out, {"given_time": self._clock(now)}, now)

        return await durably(self._database, "sweep", work)

    async def prune(self, now: float) -> int:
        bindings = {"limit_time": now - KEPT_S, "at_once": PRUNED_AT_ONCE}

        async def work(connection: Connection) -> int:
            rows = await fetch(connection, _PRUNE, bindings)
            await retire_staged(connection, [str(row[0]) for row in rows])
            await execute(connection, _PRUNE_TOMBSTONES, bindings)
            return len(rows)

        return await durably(self._database, "prune", work)

    async def counts(self) -> Mapping[JobState, int]:
        async def work(connection: Connection) -> Mapping[JobState, int]:
            rows = await connection.fetch("SELECT state, count(*) FROM job GROUP BY state")
            return {JobState(state): count for state, count in rows}

        return await self._database.read(work)

    async def count_by_reason(self) -> list[JobCount]:
        async def work(connection: Connection) -> list[JobCount]:
            rows = await connection.fetch(_COUNT_BY_REASON)
            return [JobCount(JobState(row[0]), FailureReason(row[1]) if row[1] else None, row[2]) for row in rows]

        return await self._database.read(work)

    async def _stands(self, connection: Connection, order: Order) -> bool:
        return await standing_document(connection, order, self._pipeline, _NOBODY_YET) is not None

    async def _make(self, connection: Connection, order: Order, now: float) -> Job:
        # Looked up before the job is there, which would be under way itself.
        standing = await standing_document(connection, order, self._pipeline, _NOBODY_YET)
        job = await insert_job(connection, order, now)
        if standing is None:
            return job
        await end_unchanged(connection, standing, order.job_id, now)
        return job_from_row(await _row(connection, order.job_id))


async def insert_job(connection: Connection, order: Order, now: float) -> Job:
    """A new job that waits."""
    row = await fetch_row(connection, _ADMIT, order_values(order, now))
    assert row is not None  # noqa: S101 - an INSERT returns its row
    return job_from_row(row)


async def _placed(connection: Connection, job: Job) -> Job:
    """With its place in the queue, where it waits."""
    if job.state is not JobState.QUEUED:
        return job
    return replace(job, queue_position=await connection.fetchval(_AHEAD, job.order.job_id))


async def _equal(connection: Connection, order: Order) -> Job | None:
    """The job that stands for the order already. Raises RequestIdReused."""
    row = await fetch_row(connection, _BY_ID, {"job_id": order.job_id})
    if row is not None:
        return job_from_row(row)
    row = await fetch_row(connection, _BY_REQUEST, {"request_id": order.request_id})
    if row is None:
        return None
    job = job_from_row(row)
    if not same_request(job.order, order):
        raise RequestIdReused
    return job


async def _row(connection: Connection, job_id: str) -> Row:
    row = await fetch_row(connection, _BY_ID, {"job_id": job_id})
    if row is None:
        raise JobNotFound(name=f"jobs/{job_id}")
    return row


async def _retried(connection: Connection, job_id: str, now: float) -> Job:
    """The job if this very call has queued it already; a work runs again after a commit whose outcome is unknown."""
    job = job_from_row(await _row(connection, job_id))
    if job.state is JobState.QUEUED and job.update_time == now:
        return job
    if job.state in (JobState.FAILED, JobState.CANCELLED, JobState.DEAD):
        raise JobNotRetryable("The document was uploaded again or deleted since: upload the file instead.")
    raise JobNotRetryable
