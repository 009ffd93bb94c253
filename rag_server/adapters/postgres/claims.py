"""What ends a claim, and what a job leaves behind: shared by those who ask and the worker."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from dataclasses import dataclass
from typing import Any

from rag_server.adapters.tables.rows import failure_to_json
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import MAX_CRASHES, Claim, JobState
from rag_server.ports import LeaseLost
from storage.postgres import Connection
from storage.postgres_named import fetch, fetch_row

_CLAIMED = """
SELECT state, cancel_requested, sequence, update_time FROM job WHERE job_id = :job_id AND fence = :fence
"""

# How a job's progress is told once it has ended: the amounts, and neither stage nor speed.
ENDED_PROGRESS = "(progress::jsonb - 'stage' - 'rate_per_s' - 'eta_s')::text"

# A job that is to be cancelled anyway is not queued again.
_CRASHED = f"""
UPDATE job SET
  crashes = crashes + 1,
  state = CASE WHEN cancel_requested = 1 THEN 'CANCELLED' WHEN crashes + 1 >= :max_crashes THEN 'DEAD'
    ELSE 'QUEUED' END,
  failure = CASE WHEN cancel_requested = 0 AND crashes + 1 >= :max_crashes THEN :failure::text END,
  end_time = CASE WHEN cancel_requested = 1 OR crashes + 1 >= :max_crashes THEN :now::float8 END,
  progress = CASE WHEN cancel_requested = 1 OR crashes + 1 >= :max_crashes THEN {ENDED_PROGRESS} ELSE '{{}}' END,
  slot = NULL, lease_end = NULL, revision = revision + 1, update_time = :now::float8
WHERE state = 'RUNNING' AND
"""

_RETIRE_STAGED = "UPDATE version SET state = 'RETIRED' WHERE state = 'STAGED' AND job_id = ANY($1::text[])"

# A condition on a row of `job`: a later upload is published, or the document was deleted after the job was asked for.
SUPERSEDED = """(
  EXISTS (SELECT 1 FROM document d WHERE d.collection = job.collection AND d.document_key = job.document_key
          AND d.admission > job.admission)
  OR EXISTS (SELECT 1 FROM tombstone t WHERE t.collection = job.collection AND t.document_key IN (job.document_key, '')
             AND t.admission >= job.admission)
)"""

# A condition on a row of `job`: another job builds a segment of the collection, or will.
MAINTENANCE_IS_OPEN = """EXISTS (SELECT 1 FROM job o WHERE o.collection = job.collection
  AND o.kind = 'MAINTENANCE' AND o.state IN ('QUEUED', 'RUNNING'))"""

# A condition on a row of `job`.
OPEN = "state IN ('QUEUED', 'RUNNING')"


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """The row of a job under the claim's own fence; it may have ended since."""

    state: JobState
    cancel_requested: bool
    sequence: int
    update_time: float

    def left_now(self, states: frozenset[JobState], now: float) -> bool:
        """Whether this very step ended the claim before: a work runs again after a commit whose outcome is unknown."""
        return self.state in states and self.update_time == now


async def look_up(connection: Connection, claim: Claim) -> ClaimedJob:
    """The job as this claim left it, ended or not; nobody changes it until the transaction ends.

    Raises LeaseLost where another claim raised the fence.
    """
    return await _claimed(connection, claim, f"{_CLAIMED} FOR NO KEY UPDATE")


async def look_up_to_read(connection: Connection, claim: Claim) -> ClaimedJob:
    """As `look_up`; nothing is locked."""
    return await _claimed(connection, claim, _CLAIMED)


async def check_claim(connection: Connection, claim: Claim) -> ClaimedJob:
    """As `look_up`. Raises LeaseLost unless the claim still holds."""
    return _running(await look_up(connection, claim))


async def check_claim_to_read(connection: Connection, claim: Claim) -> ClaimedJob:
    """Raises LeaseLost unless the claim holds at this moment; nothing is locked."""
    return _running(await look_up_to_read(connection, claim))


def fenced(claim: Claim, **values: Any) -> dict[str, Any]:
    """Values for a statement that is guarded by job id and fence."""
    return {"job_id": claim.job.order.job_id, "fence": claim.fence, **values}


async def end_crashed(connection: Connection, where: str, values: dict[str, Any], now: float) -> int:
    """Take the running jobs that match from workers that died; returns how many."""
    failure = failure_to_json(Failure(FailureReason.WORKER_CRASHED))
    bindings = {**values, "max_crashes": MAX_CRASHES, "failure": failure, "now": now}
    rows = await fetch(connection, f"{_CRASHED} {where} RETURNING job_id, state", bindings)
    await retire_staged(connection, [str(job_id) for job_id, state in rows if state == JobState.CANCELLED])
    return len(rows)


async def retire_staged(connection: Connection, job_ids: list[str]) -> None:
    """What these jobs had staged is of no use any more."""
    if job_ids:
        await connection.execute(_RETIRE_STAGED, job_ids)


async def _claimed(connection: Connection, claim: Claim, statement: str) -> ClaimedJob:
    row = await fetch_row(connection, statement, fenced(claim))
    if row is None:
        raise LeaseLost
    return ClaimedJob(JobState(row[0]), bool(row[1]), *row[2:])


def _running(job: ClaimedJob) -> ClaimedJob:
    if job.state is not JobState.RUNNING:
        raise LeaseLost
    return job
