"""Who watches a job hears of every change, and the store is asked once for all who watch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from rag_server.domain.errors import JobNotFound
from rag_server.domain.job import Job, JobState
from rag_server.ports import Jobs
from rag_server.use_cases import noticing as module
from rag_server.use_cases.noticing import Noticing
from storage.unavailable import StorageUnavailable
from tests.contracts.ingesting import order, tick
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.store_ports import StorePorts, memory_ports

LONG_S = 10.0


async def nothing(_job_id: str) -> None:
    """Nobody changes the job."""


async def turns() -> None:
    """Let the other tasks do what they can do at once."""
    for _ in range(9):
        await asyncio.sleep(0)


@dataclass(slots=True)
class CountedJobs:
    """The reading side of Jobs, which counts its looks and can fail."""

    jobs: Jobs
    looks: list[list[str]] = field(default_factory=list)
    fails: bool = False
    meanwhile: Callable[[str], Awaitable[None]] = nothing  # happens after a job was read, before that is told

    async def get(self, job_id: str) -> Job:
        job = await self.jobs.get(job_id)
        await self.meanwhile(job_id)
        return job

    async def changed(self, known: Mapping[str, int]) -> list[Job]:
        self.looks.append(sorted(known))
        if self.fails:
            raise StorageUnavailable
        return await self.jobs.changed(known)


@asynccontextmanager
async def noticing(store: StorePorts) -> AsyncIterator[tuple[Noticing, CountedJobs, MemoryWakeups]]:
    wakeups, jobs = MemoryWakeups(), CountedJobs(store.jobs)
    all_jobs = Noticing(cast("Jobs", jobs), wakeups)
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(all_jobs.run())
        await turns()
        yield all_jobs, jobs, wakeups
        running.cancel()


@pytest.fixture(autouse=True)
def _no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 1e6)


async def test_one_look_serves_all_who_watch() -> None:
    store = memory_ports()
    orders = [order(key) for key in ("a", "b", "c")]
    for one in orders:
        await store.jobs.admit(one, tick())
    async with noticing(store) as (all_jobs, jobs, wakeups):
        async with (
            all_jobs.watching(orders[0].job_id) as first,
            all_jobs.watching(orders[1].job_id) as second,
            all_jobs.watching(orders[1].job_id) as third,
        ):
            await store.jobs.cancel(orders[1].job_id, tick())
            wakeups.notify("jobs")
            await asyncio.gather(second.changed(LONG_S), third.changed(LONG_S))
            assert (second.job.state, third.job.state) == (JobState.CANCELLED,) * 2
            assert (first.job.state, first.news.is_set()) == (JobState.QUEUED, False)
        assert jobs.looks == [sorted(one.job_id for one in orders[:2])]


async def test_a_change_between_reading_and_watching_is_not_missed() -> None:
    store = memory_ports()
    asked = order()
    await store.jobs.admit(asked, tick())
    async with noticing(store) as (all_jobs, jobs, wakeups):

        async def cancelled(job_id: str) -> None:
            await store.jobs.cancel(job_id, tick())
            wakeups.notify("jobs")
            await turns()  # the nudge is heard, and nobody watches yet

        jobs.meanwhile = cancelled
        async with all_jobs.watching(asked.job_id) as watch:
            before = watch.job.state
            await watch.changed(LONG_S)
            assert (before, watch.job.state) == (JobState.QUEUED, JobState.CANCELLED)


async def test_a_lost_nudge_only_costs_a_polling_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)
    store = memory_ports()
    asked = order()
    await store.jobs.admit(asked, tick())
    async with noticing(store) as (all_jobs, _, _), all_jobs.watching(asked.job_id) as watch:
        await store.jobs.cancel(asked.job_id, tick())  # and no nudge
        await watch.changed(LONG_S)
        assert watch.job.state is JobState.CANCELLED


async def test_a_store_that_does_not_answer_is_told_to_all_and_looked_at_again() -> None:
    store = memory_ports()
    asked = order()
    await store.jobs.admit(asked, tick())
    async with noticing(store) as (all_jobs, jobs, wakeups), all_jobs.watching(asked.job_id) as watch:
        jobs.fails = True
        wakeups.notify("jobs")
        with pytest.raises(StorageUnavailable):
            await watch.changed(LONG_S)
        jobs.fails = False
        await store.jobs.cancel(asked.job_id, tick())
        wakeups.notify("jobs")
        await watch.changed(LONG_S)
        assert watch.job.state is JobState.CANCELLED


async def test_the_time_being_over_is_no_news() -> None:
    store = memory_ports()
    asked = order()
    await store.jobs.admit(asked, tick())
    async with noticing(store) as (all_jobs, _, _), all_jobs.watching(asked.job_id) as watch:
        await watch.changed(0.0)
        assert watch.job.state is JobState.QUEUED


async def test_what_does_not_exist_cannot_be_watched() -> None:
    async with noticing(memory_ports()) as (all_jobs, _, _):
        with pytest.raises(JobNotFound):
            async with all_jobs.watching("nothing"):
                pass
