"""Noticing which jobs have changed: one look at the store for all who watch, not one for each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rag_server.domain.job import TERMINAL, Job
from rag_server.ports import Jobs, Wakeups
from serving.errors import ServiceError

POLL_S = 1.0  # a lost nudge costs so much
REST_S = 0.02  # between two looks: nudges come several times for each document


class Watch:
    """A job as it was seen last, for one who watches it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.failure: ServiceError | None = None  # of the last look
        self.news = asyncio.Event()

    async def changed(self, timeout_s: float) -> None:
        """Return when the job is another, or the time is over. Raises what the look at the store raised."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.news.wait()
        except TimeoutError:
            return
        self.news.clear()
        if self.failure is not None:
            raise self.failure


class Noticing:
    """Looks at all jobs that are watched, at every nudge, and at least every POLL_S."""

    def __init__(self, jobs: Jobs, wakeups: Wakeups) -> None:
        self._jobs = jobs
        self._wakeups = wakeups
        self._watches: set[Watch] = set()
        self._nudges = 0
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._hear(), name="hear of jobs")
            both.create_task(self._look_again(), name="look at jobs")

    @asynccontextmanager
    async def watching(self, job_id: str) -> AsyncIterator[Watch]:
        """The job as it is now; no change from now on is missed. Raises JobNotFound."""
        nudges = self._nudges
        watch = Watch(await self._jobs.get(job_id))
        self._watches.add(watch)
        if self._nudges != nudges:  # it may have changed since it was read
            self._due.set()
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    async def _hear(self) -> None:
        while True:
            await self._wakeups.wait(frozenset({"jobs", "changes"}), POLL_S)
            self._nudges += 1
            self._due.set()

    async def _look_again(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            watches = [watch for watch in self._watches if watch.job.state not in TERMINAL]
            if watches:
                await self._look(watches)
                await asyncio.sleep(REST_S)

    async def _look(self, watches: list[Watch]) -> None:
        known: dict[str, int] = {}
        for job in (watch.job for watch in watches):
            known[job.order.job_id] = min(job.revision, known.get(job.order.job_id, job.revision))
        try:
            found = {job.order.job_id: job for job in await self._jobs.changed(known)}
        except ServiceError as error:
            for watch in watches:
                watch.failure = error
                watch.news.set()
            return
        for watch in watches:
            watch.failure = None
            job = found.get(watch.job.order.job_id, watch.job)
            if job.revision > watch.job.revision:
                watch.job = job
                watch.news.set()
