"""The job queue in memory, from both sides."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rag_server.domain.errors import JobEnded, JobNotFound, JobNotRetryable, RequestIdReused
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import (
    MAX_ATTEMPTS,
    TERMINAL,
    Claim,
    Job,
    JobCount,
    JobKind,
    JobState,
    Order,
    Progress,
)
from rag_server.domain.queue import Queue
from rag_server.ports import JobFilter
from tests.fakes.memory_store import JobRecord, MemoryStore

KEPT_S = 30 * 86_400.0


def _place(record: JobRecord) -> tuple[int, int]:
    """Smaller is claimed earlier."""
    return -record.job.order.priority, record.admission


def _kind_of_end(job: Job) -> tuple[JobState, FailureReason | None]:
    why = job.failure or job.problem
    return job.state, None if why is None else why.reason


@dataclass(frozen=True, slots=True)
class MemoryJobs:
    store: MemoryStore

    async def admit(self, order: Order, now: float) -> Job:
        equal = self._equal(order)
        if equal is not None:
            return equal
        self.store.last_admission += 1
        job = Job(order, JobState.QUEUED, 1, now, now)
        record = self.store.jobs[order.job_id] = JobRecord(job, self.store.last_admission)
        self.store.end_if_unchanged(record, now)
        return record.job

    async def admit_known(self, order: Order, now: float) -> Job | None:
        if (equal := self._equal(order)) is not None:
            return equal
        admission = self.store.last_admission
        job = await self.admit(order, now)
        if job.ended:
            return job
        del self.store.jobs[order.job_id]
        self.store.last_admission = admission
        return None

    def _equal(self, order: Order) -> Job | None:
        if order.job_id in self.store.jobs:
            return self.store.jobs[order.job_id].job
        for record in self.store.jobs.values():
            other = record.job.order
            if order.request_id and other.request_id == order.request_id:
                mine = replace(other, **{name: getattr(order, name) for name in ("kind", "collection", "document_key")})
                mine = replace(mine, sha256=order.sha256 or other.sha256, parameters_json=order.parameters_json)
                if mine != other:
                    raise RequestIdReused
                return record.job
        return None

    async def get(self, job_id: str) -> Job:
        record = self._record(job_id)
        if record.job.state is not JobState.QUEUED:
            return record.job
        queued = (other for other in self.store.jobs.values() if other.job.state is JobState.QUEUED)
        return replace(record.job, queue_position=sum(_place(other) < _place(record) for other in queued))

    async def changed(self, known: Mapping[str, int]) -> list[Job]:
        jobs = [await self.get(job_id) for job_id in known if job_id in self.store.jobs]
        return [job for job in jobs if job.revision != known[job.order.job_id]]

    async def list_jobs(self, wanted: JobFilter, before_job_id: str, limit: int) -> list[Job]:
        jobs = (record.job for record in self.store.jobs.values())
        found = [
            job
            for job in jobs
            if (not before_job_id or job.order.job_id < before_job_id)
            and (not wanted.collection or job.order.collection == wanted.collection)
            and (not wanted.states or job.state in wanted.states)
        ]
        return sorted(found, key=lambda job: job.order.job_id, reverse=True)[:limit]

    async def cancel(self, job_id: str, now: float) -> Job:
        record = self._record(job_id)
        if record.job.state in TERMINAL - {JobState.CANCELLED}:
            raise JobEnded
        self.store.ask_to_cancel(record, now)
        return record.job

    async def retry(self, job_id: str, now: float) -> Job:
        record = self._record(job_id)
        retryable = record.job.state in (JobState.FAILED, JobState.CANCELLED, JobState.DEAD)
        if not retryable or self.store.superseded(record) or self._is_built_otherwise(record.job.order):
            raise JobNotRetryable
        record.change(now, JobState.QUEUED, attempt=0, crashes=0, failure=None, cancel_requested=False)
        return record.job

    async def sweep(self, now: float) -> int:
        running = (record for record in self.store.jobs.values() if record.job.state is JobState.RUNNING)
        return self.store.crash((record for record in running if record.lease_end < now), now)

    async def prune(self, now: float) -> int:
        ends = {job_id: record.job.end_time for job_id, record in self.store.jobs.items()}
        old = [job_id for job_id, end in ends.items() if end is not None and end < now - KEPT_S]
        for job_id in old:
            self.store.drop_staged(job_id)
            del self.store.jobs[job_id]
        return len(old)

    async def counts(self) -> Mapping[JobState, int]:
        states = [record.job.state for record in self.store.jobs.values()]
        return {state: states.count(state) for state in set(states)}

    async def count_by_reason(self) -> list[JobCount]:
        kinds = Counter(_kind_of_end(record.job) for record in self.store.jobs.values())
        return [JobCount(state, reason, count) for (state, reason), count in kinds.items()]

    def _is_built_otherwise(self, order: Order) -> bool:
        return order.kind is JobKind.MAINTENANCE and self.store.maintenance_is_open(order.collection)

    def _record(self, job_id: str) -> JobRecord:
        if job_id not in self.store.jobs:
            raise JobNotFound(name=f"jobs/{job_id}")
        return self.store.jobs[job_id]


@dataclass(frozen=True, slots=True)
class MemorySlot:
    store: MemoryStore

    async def reclaim(self, slot: str, now: float) -> int:
        running = (record for record in self.store.jobs.values() if record.job.state is JobState.RUNNING)
        return self.store.crash((record for record in running if record.slot == slot), now)

    async def claim(self, slot: str, now: float, lease_s: float) -> Claim | None:
        queued = (record for record in self.store.jobs.values() if record.job.state is JobState.QUEUED)
        due = [record for record in queued if (record.job.next_attempt_time or 0.0) <= now]
        if not due or self.store.pause_time is not None:
            return None
        record = min(due, key=_place)
        start = now if record.job.start_time is None else record.job.start_time
        record.change(now, JobState.RUNNING, attempt=record.job.attempt + 1, start_time=start)
        record.fence += 1
        record.slot, record.lease_end = slot, now + lease_s
        return Claim(record.job, slot, record.fence)

    async def heartbeat(self, claim: Claim, progress: Progress, now: float, lease_s: float) -> bool:
        record = self.store.claimed(claim)
        record.lease_end = now + lease_s
        if progress != record.job.progress:
            record.change(now, JobState.RUNNING, progress=progress)
        return record.job.cancel_requested

    async def fail(self, claim: Claim, failure: Failure, now: float) -> None:
        self.store.claimed(claim).change(now, JobState.FAILED, failure=failure)
        self.store.drop_staged(claim.job.order.job_id)

    async def cancelled(self, claim: Claim, now: float) -> None:
        self.store.cancel(self.store.claimed(claim), now)

    async def defer(self, claim: Claim, failure: Failure, next_attempt_time: float, now: float) -> None:
        record = self.store.claimed(claim)
        if record.job.cancel_requested:
            self.store.cancel(record, now)
        elif record.job.attempt - record.job.crashes >= MAX_ATTEMPTS:
            record.change(now, JobState.DEAD, failure=failure)
        else:
            record.change(now, JobState.QUEUED, next_attempt_time=next_attempt_time)

    async def release(self, claim: Claim, now: float, next_attempt_time: float | None = None) -> None:
        record = self.store.claimed(claim)
        attempt = record.job.attempt - 1
        if record.job.cancel_requested:
            self.store.cancel(record, now, attempt=attempt)
        else:
            record.change(now, JobState.QUEUED, attempt=attempt, next_attempt_time=next_attempt_time)

    async def documents_wait(self, now: float) -> bool:
        queued = (record.job for record in self.store.jobs.values() if record.job.state is JobState.QUEUED)
        about_documents = (job for job in queued if job.order.kind is not JobKind.MAINTENANCE)
        due = any((job.next_attempt_time or 0.0) <= now for job in about_documents)
        return due and self.store.pause_time is None


@dataclass(frozen=True, slots=True)
class MemoryQueueing:
    store: MemoryStore

    async def pause(self, now: float) -> None:
        self.store.pause_time = now if self.store.pause_time is None else self.store.pause_time

    async def resume(self) -> None:
        self.store.pause_time = None

    async def look(self, now: float) -> Queue:
        jobs = [record.job for record in self.store.jobs.values()]
        waiting = [job.create_time for job in jobs if job.state is JobState.QUEUED]
        running = sum(job.state is JobState.RUNNING for job in jobs)
        return Queue(self.store.pause_time, len(waiting), running, now - min(waiting) if waiting else None)
