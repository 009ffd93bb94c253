"""The job queue from the worker's side. Each change of state is one statement, guarded by state and fence."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from typing import Any

from rag_server.adapters.postgres.claims import ENDED_PROGRESS, end_crashed, fenced, look_up, retire_staged
from rag_server.adapters.postgres.clock import DATABASE_TIME, Clock, by_the_database
from rag_server.adapters.postgres.steps import durably
from rag_server.adapters.tables.queue_state import NOT_PAUSED
from rag_server.adapters.tables.rows import JOB_COLUMNS, failure_to_json, job_from_row, progress_to_json
from rag_server.domain.failure import Failure
from rag_server.domain.job import MAX_ATTEMPTS, Claim, JobState, Progress
from rag_server.ports import LeaseLost
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import fetch_row, fetch_value

_HELD = "job_id = :job_id AND fence = :fence AND state = 'RUNNING'"
_LET_GO = "slot = NULL, lease_end = NULL, revision = revision + 1, update_time = :now::float8"
_ENDED = f"{_LET_GO}, end_time = :now::float8, progress = {ENDED_PROGRESS}"

# Jobs that others are about to claim are passed over, not waited for.
_CLAIM = f"""
UPDATE job SET state = 'RUNNING', slot = :slot, lease_end = {DATABASE_TIME} + :lease_s, fence = fence + 1,
  attempt = attempt + 1, start_time = coalesce(start_time, :now::float8), next_attempt_time = NULL, progress = '{{}}',
  revision = revision + 1, update_time = :now::float8
WHERE admission = (
  SELECT admission FROM job
  WHERE state = 'QUEUED' AND (next_attempt_time IS NULL OR next_attempt_time <= {DATABASE_TIME}) AND {NOT_PAUSED}
  ORDER BY priority DESC, admission LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
  AND NOT EXISTS (SELECT 1 FROM job WHERE state = 'RUNNING' AND slot = :slot AND update_time = :now::float8)
RETURNING {JOB_COLUMNS}, fence
"""

# What a claim of the same moment took, whose commit nobody knew to have succeeded.
_CLAIMED_JUST_NOW = f"""
SELECT {JOB_COLUMNS}, fence FROM job WHERE state = 'RUNNING' AND slot = :slot AND update_time = :now
"""

_HEARTBEAT = f"""
UPDATE job SET lease_end = {DATABASE_TIME} + :lease_s,
  revision = revision + CASE WHEN progress <> :progress THEN 1 ELSE 0 END,
  update_time = CASE WHEN progress <> :progress THEN :now::float8 ELSE update_time END, progress = :progress
WHERE {_HELD} RETURNING cancel_requested
"""

_FAIL = f"UPDATE job SET state = 'FAILED', failure = :failure, {_ENDED} WHERE {_HELD} RETURNING state"

_CANCELLED = f"UPDATE job SET state = 'CANCELLED', cancel_requested = 1, {_ENDED} WHERE {_HELD} RETURNING state"

# Crashed attempts are counted apart, and a job that is to be cancelled is not queued again.
_DEFER = f"""
UPDATE job SET {_LET_GO},
  progress = CASE WHEN cancel_requested = 1 OR attempt - crashes >= :max_attempts THEN {ENDED_PROGRESS}
    ELSE '{{}}' END,
  state = CASE WHEN cancel_requested = 1 THEN 'CANCELLED' WHEN attempt - crashes >= :max_attempts THEN 'DEAD'
    ELSE 'QUEUED' END,
  failure = CASE WHEN cancel_requested = 0 AND attempt - crashes >= :max_attempts THEN :failure::text END,
  end_time = CASE WHEN cancel_requested = 1 OR attempt - crashes >= :max_attempts THEN :now::float8 END,
  next_attempt_time = CASE WHEN cancel_requested = 0 AND attempt - crashes < :max_attempts
    THEN {DATABASE_TIME} + :delay_s END
WHERE {_HELD} RETURNING state
"""

_RELEASE = f"""
UPDATE job SET {_LET_GO}, attempt = attempt - 1,
  progress = CASE WHEN cancel_requested = 1 THEN {ENDED_PROGRESS} ELSE '{{}}' END,
  state = CASE WHEN cancel_requested = 1 THEN 'CANCELLED' ELSE 'QUEUED' END,
  end_time = CASE WHEN cancel_requested = 1 THEN :now::float8 END,
  next_attempt_time = CASE WHEN cancel_requested = 0 THEN {DATABASE_TIME} + :delay_s::float8 END
WHERE {_HELD} RETURNING state
"""

_DOCUMENTS_WAIT = f"""
SELECT EXISTS (SELECT 1 FROM job WHERE state = 'QUEUED' AND kind <> 'MAINTENANCE'
  AND (next_attempt_time IS NULL OR next_attempt_time <= {DATABASE_TIME}) AND {NOT_PAUSED})
"""


class PostgresSlot:
    """Implements the port Slot."""

    def __init__(self, database: PostgresDatabase, clock: Clock = by_the_database) -> None:
        self._database = database
        self._clock = clock

    async def reclaim(self, slot: str, now: float) -> int:
        async def work(connection: Connection) -> int:
            return await end_crashed(connection, "slot = :slot", {"slot": slot}, now)

        return await durably(self._database, "reclaim", work)

    async def claim(self, slot: str, now: float, lease_s: float) -> Claim | None:
        bindings = {"slot": slot, "now": now, "given_time": self._clock(now), "lease_s": lease_s}

        async def work(connection: Connection) -> Claim | None:
            row = await fetch_row(connection, _CLAIM, bindings)
            row = row or await fetch_row(connection, _CLAIMED_JUST_NOW, bindings)
            return None if row is None else Claim(job_from_row(row), slot, row[-1])

        return await durably(self._database, "claim", work)

    async def heartbeat(self, claim: Claim, progress: Progress, now: float, lease_s: float) -> bool:
        told = {"progress": progress_to_json(progress), "now": now, "given_time": self._clock(now), "lease_s": lease_s}

        async def work(connection: Connection) -> bool:
            row = await fetch_row(connection, _HEARTBEAT, fenced(claim, **told))
            if row is None:
                raise LeaseLost
            return bool(row[0])

        return await durably(self._database, "heartbeat", work)

    async def fail(self, claim: Claim, failure: Failure, now: float) -> None:
        await self._leave("fail", _FAIL, claim, {"failure": failure_to_json(failure), "now": now})

    async def cancelled(self, claim: Claim, now: float) -> None:
        await self._leave("cancelled", _CANCELLED, claim, {"now": now})

    async def defer(self, claim: Claim, failure: Failure, next_attempt_time: float, now: float) -> None:
        told = {"failure": failure_to_json(failure), "now": now, "max_attempts": MAX_ATTEMPTS}
        due = {"given_time": self._clock(now), "delay_s": next_attempt_time - now}
        await self._leave("defer", _DEFER, claim, {**told, **due})

    async def release(self, claim: Claim, now: float, next_attempt_time: float | None = None) -> None:
        delay_s = None if next_attempt_time is None else next_attempt_time - now
        due = {"given_time": self._clock(now), "delay_s": delay_s}
        await self._leave("release", _RELEASE, claim, {"now": now, **due})

    async def documents_wait(self, now: float) -> bool:
        bindings = {"given_time": self._clock(now)}
        return bool(await self._database.read(lambda connection: fetch_value(connection, _DOCUMENTS_WAIT, bindings)))

    async def _leave(self, step: str, statement: str, claim: Claim, values: dict[str, Any]) -> None:
        """Run a statement that takes the job out of the worker's hands."""

        async def work(connection: Connection) -> None:
            row = await fetch_row(connection, statement, fenced(claim, **values))
            if row is None:
                job = await look_up(connection, claim)
                if not job.left_now(_LEFT_IN[step], values["now"]):
                    raise LeaseLost
            elif row[0] in (JobState.FAILED, JobState.CANCELLED):
                await retire_staged(connection, [claim.job.order.job_id])

        await durably(self._database, step, work)


_LEFT_IN = {
    "fail": frozenset({JobState.FAILED}),
    "cancelled": frozenset({JobState.CANCELLED}),
    "defer": frozenset({JobState.QUEUED, JobState.DEAD, JobState.CANCELLED}),
    "release": frozenset({JobState.QUEUED, JobState.CANCELLED}),
}
