"""The job queue from the worker's side. Each change of state is one statement, guarded by state and fence."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from typing import Any

import apsw

from rag_server.adapters.sqlite.claims import ENDED_PROGRESS, end_crashed, fenced, look_up, retire_staged
from rag_server.adapters.sqlite.steps import durably
from rag_server.adapters.tables.queue_state import NOT_PAUSED
from rag_server.adapters.tables.rows import JOB_COLUMNS, failure_to_json, job_from_row, progress_to_json
from rag_server.domain.failure import Failure
from rag_server.domain.job import MAX_ATTEMPTS, Claim, JobState, Progress
from rag_server.ports import LeaseLost
from storage.sqlite import Database

_HELD = "job_id = :job_id AND fence = :fence AND state = 'RUNNING'"
_LET_GO = "slot = NULL, lease_end = NULL, revision = revision + 1, update_time = :now"
_ENDED = f"{_LET_GO}, end_time = :now, progress = {ENDED_PROGRESS}"

# Without the hint SQLite sorts the whole queue for every claim.
_CLAIM = f"""
UPDATE job SET state = 'RUNNING', slot = :slot, lease_end = :lease_end, fence = fence + 1, attempt = attempt + 1,
  start_time = coalesce(start_time, :now), next_attempt_time = NULL, progress = '{{}}',
  revision = revision + 1, update_time = :now
WHERE state = 'QUEUED' AND admission = (
  SELECT admission FROM job INDEXED BY ix_job_queue
  WHERE state = 'QUEUED' AND (next_attempt_time IS NULL OR next_attempt_time <= :now) AND {NOT_PAUSED}
  ORDER BY priority DESC, admission LIMIT 1)
RETURNING {JOB_COLUMNS}, fence
"""

# What a claim of the same moment took, whose commit nobody knew to have succeeded.
_CLAIMED_JUST_NOW = f"""
SELECT {JOB_COLUMNS}, fence FROM job
WHERE state = 'RUNNING' AND slot = :slot AND lease_end = :lease_end AND update_time = :now
"""

_HEARTBEAT = f"""
UPDATE job SET lease_end = :lease_end, revision = revision + (progress <> :progress),
  update_time = CASE WHEN progress <> :progress THEN :now ELSE update_time END, progress = :progress
WHERE {_HELD} RETURNING cancel_requested
"""

_FAIL = f"UPDATE job SET state = 'FAILED', failure = :failure, {_ENDED} WHERE {_HELD} RETURNING state"

_CANCELLED = f"UPDATE job SET state = 'CANCELLED', cancel_requested = 1, {_ENDED} WHERE {_HELD} RETURNING state"

# Crashed attempts are counted apart, and a job that is to be cancelled is not queued again.
_DEFER = f"""
UPDATE job SET {_LET_GO},
  progress = CASE WHEN cancel_requested OR attempt - crashes >= :max_attempts THEN {ENDED_PROGRESS} ELSE '{{}}' END,
  state = CASE WHEN cancel_requested THEN 'CANCELLED' WHEN attempt - crashes >= :max_attempts THEN 'DEAD'
    ELSE 'QUEUED' END,
  failure = CASE WHEN NOT cancel_requested AND attempt - crashes >= :max_attempts THEN :failure END,
  end_time = CASE WHEN cancel_requested OR attempt - crashes >= :max_attempts THEN :now END,
  next_attempt_time = CASE WHEN NOT cancel_requested AND attempt - crashes < :max_attempts THEN :next_attempt_time END
WHERE {_HELD} RETURNING state
"""

_RELEASE = f"""
UPDATE job SET {_LET_GO}, attempt = attempt - 1,
  progress = CASE WHEN cancel_requested THEN {ENDED_PROGRESS} ELSE '{{}}' END,
  state = CASE WHEN cancel_requested THEN 'CANCELLED' ELSE 'QUEUED' END,
  end_time = CASE WHEN cancel_requested THEN :now END,
  next_attempt_time = CASE WHEN NOT cancel_requested THEN :next_attempt_time END
WHERE {_HELD} RETURNING state
"""

_DOCUMENTS_WAIT = f"""
SELECT EXISTS (SELECT 1 FROM job INDEXED BY ix_job_queue
  WHERE state = 'QUEUED' AND kind <> 'MAINTENANCE' AND (next_attempt_time IS NULL OR next_attempt_time <= ?)
  AND {NOT_PAUSED})
"""


class SqliteSlot:
    """Implements the port Slot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reclaim(self, slot: str, now: float) -> int:
        def work(connection: apsw.Connection) -> int:
            return end_crashed(connection, "slot = :slot", {"slot": slot}, now)

        return await durably(self._database, "reclaim", work)

    async def claim(self, slot: str, now: float, lease_s: float) -> Claim | None:
        bindings = {"slot": slot, "now": now, "lease_end": now + lease_s}

        def work(connection: apsw.Connection) -> Claim | None:
            row = connection.execute(_CLAIMED_JUST_NOW, bindings).fetchone()
            row = row or connection.execute(_CLAIM, bindings).fetchone()
            return None if row is None else Claim(job_from_row(row), slot, row[-1])

        return await durably(self._database, "claim", work)

    async def heartbeat(self, claim: Claim, progress: Progress, now: float, lease_s: float) -> bool:
        bindings = fenced(claim, progress=progress_to_json(progress), now=now, lease_end=now + lease_s)

        def work(connection: apsw.Connection) -> bool:
            row = connection.execute(_HEARTBEAT, bindings).fetchone()
            if row is None:
                raise LeaseLost
            return bool(row[0])

        return await durably(self._database, "heartbeat", work)

    async def fail(self, claim: Claim, failure: Failure, now: float) -> None:
        await self._leave("fail", _FAIL, claim, {"failure": failure_to_json(failure), "now": now})

    async def cancelled(self, claim: Claim, now: float) -> None:
        await self._leave("cancelled", _CANCELLED, claim, {"now": now})

    async def defer(self, claim: Claim, failure: Failure, next_attempt_time: float, now: float) -> None:
        told = {"failure": failure_to_json(failure), "next_attempt_time": next_attempt_time, "now": now}
        await self._leave("defer", _DEFER, claim, {"max_attempts": MAX_ATTEMPTS, **told})

    async def release(self, claim: Claim, now: float, next_attempt_time: float | None = None) -> None:
        await self._leave("release", _RELEASE, claim, {"next_attempt_time": next_attempt_time, "now": now})

    async def documents_wait(self, now: float) -> bool:
        return bool(await self._database.read(lambda connection: connection.execute(_DOCUMENTS_WAIT, (now,)).get))

    async def _leave(self, step: str, statement: str, claim: Claim, values: dict[str, Any]) -> None:
        """Run a statement that takes the job out of the worker's hands."""

        def work(connection: apsw.Connection) -> None:
            row = connection.execute(statement, fenced(claim, **values)).fetchone()
            if row is None:
                if not look_up(connection, claim).left_now(_LEFT_IN[step], values["now"]):
                    raise LeaseLost
            elif row[0] in (JobState.FAILED, JobState.CANCELLED):
                retire_staged(connection, [claim.job.order.job_id])

        await durably(self._database, step, work)


_LEFT_IN = {
    "fail": frozenset({JobState.FAILED}),
    "cancelled": frozenset({JobState.CANCELLED}),
    "defer": frozenset({JobState.QUEUED, JobState.DEAD, JobState.CANCELLED}),
    "release": frozenset({JobState.QUEUED, JobState.CANCELLED}),
}
