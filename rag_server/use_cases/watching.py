"""Telling the life of a job, truthfully: a success is told only once the views of this server have it."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from rag_server.domain.errors import NotReady
from rag_server.domain.job import FOUND, Job, JobStage, JobState
from rag_server.index_ports import Indexes
from rag_server.ports import JobFilter, Jobs
from rag_server.use_cases.noticing import Noticing, Watch

HEARTBEAT_S = 9.0  # promised: at least every 10
LOOK_S = 1.0  # whether it is time for a sign of life, or to stop
APPLY_WAIT_S = 2.0  # the views are rarely further behind


@dataclass(frozen=True, slots=True)
class Watching:
    """Reads jobs as clients may see them."""

    jobs: Jobs
    indexes: Indexes
    noticing: Noticing
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # who waits is to go on with another server

    async def get(self, job_id: str, wait_s: float = 0.0) -> Job:
        """The job; with `wait_s`, as soon as it has ended or that time is over. Raises JobNotFound."""
        deadline_s = time.monotonic() + wait_s
        async with self.noticing.watching(job_id) as watch:
            job = self._truthful(watch.job)
            while not (job.ended or self.stopping.is_set()) and (left_s := deadline_s - time.monotonic()) > 0:
                job = await self._next(watch, min(left_s, LOOK_S))
            return job

    async def list_jobs(self, wanted: JobFilter, before_job_id: str, limit: int) -> list[Job]:
        """The latest first; only those before `before_job_id`, where it is not empty."""
        return [self._truthful(job) for job in await self.jobs.list_jobs(wanted, before_job_id, limit)]

    async def snapshots(self, job_id: str, after_revision: int) -> AsyncGenerator[Job]:
        """The job now, where its revision is new, then at every change and every HEARTBEAT_S, until it has ended.

        An ended job is always sent once. Raises JobNotFound, and NotReady when the server stops.
        """
        seen = after_revision
        sent_s = time.monotonic()
        async with self.noticing.watching(job_id) as watch:
            job = self._truthful(watch.job)
            while True:
                now_s = time.monotonic()
                if job.revision > seen or job.ended or now_s - sent_s >= HEARTBEAT_S:
                    yield job
                    seen, sent_s = job.revision, now_s
                if job.ended:
                    return
                if self.stopping.is_set():
                    raise NotReady
                job = await self._next(watch, LOOK_S)

    async def _next(self, watch: Watch, timeout_s: float) -> Job:
        """The job when there is something new to tell of it, or the time is over."""
        if watch.job.state in FOUND:  # but not to be found here yet
            await self.indexes.wait_patiently(watch.job.sequence, min(timeout_s, APPLY_WAIT_S))
        else:
            await watch.changed(timeout_s)
        return self._truthful(watch.job)

    def _truthful(self, job: Job) -> Job:
        """The job as this server may tell it.

        Publishing takes two revisions: the first is told until the views follow. The api leaves out its sequence.
        """
        if job.state not in FOUND or self.indexes.applied_sequence >= job.sequence:
            return job
        return replace(
            job,
            state=JobState.RUNNING,
            revision=job.revision - 1,
            progress=replace(job.progress, stage=JobStage.PUBLISHING),
            problem=None,
            document_id="",
            document_version=0,
            outcome=None,
            end_time=None,
        )
