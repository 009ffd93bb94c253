"""Clients hear the truth about a job: every change, and a success only when a search here finds the document."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from rag_server.domain.errors import JobNotFound
from rag_server.domain.job import JobStage, JobState, Progress
from rag_server.ports import JobFilter
from rag_server.use_cases import watching
from rag_server.use_cases.noticing import Noticing
from rag_server.use_cases.watching import Watching
from tests.contracts.ingesting import LEASE_S, claim, finish, order, stage, summary, tick
from tests.fakes.following_indexes import FollowingIndexes
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.store_ports import StorePorts, memory_ports


@dataclass(frozen=True)
class World:
    store: StorePorts
    indexes: FollowingIndexes
    wakeups: MemoryWakeups
    watching: Watching


@pytest.fixture
async def world() -> AsyncIterator[World]:
    store, indexes, wakeups = memory_ports(), FollowingIndexes(), MemoryWakeups()
    noticing = Noticing(store.jobs, wakeups)
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(noticing.run())
        yield World(store, indexes, wakeups, Watching(store.jobs, indexes, noticing))
        running.cancel()


async def test_a_success_is_told_only_once_the_views_have_it(world: World) -> None:
    asked = order()
    await world.store.jobs.admit(asked, tick())
    sequence = await finish(world.store, await claim(world.store), "one")
    before = await world.watching.get(asked.job_id)
    await world.indexes.apply(sequence)
    after = await world.watching.get(asked.job_id)
    assert (before.state, before.progress.stage, before.document_id) == (JobState.RUNNING, JobStage.PUBLISHING, "")
    assert (after.state, bool(after.document_id)) == (JobState.SUCCEEDED, True)
    assert before.revision < after.revision


async def test_a_list_tells_the_same_truth(world: World) -> None:
    await world.store.jobs.admit(order(), tick())
    await finish(world.store, await claim(world.store), "one")
    [told] = await world.watching.list_jobs(JobFilter(), "", 10)
    assert told.state is JobState.RUNNING


async def test_snapshots_grow_in_revision_and_end_with_the_end(world: World) -> None:
    asked = order()
    await world.store.jobs.admit(asked, tick())
    seen = []

    async def follow() -> None:
        async for job in world.watching.snapshots(asked.job_id, -1):
            seen.append(job)
            went_on.set()

    went_on = asyncio.Event()
    following = asyncio.create_task(follow())
    await went_on.wait()
    claimed = await claim(world.store)
    await world.store.slot.heartbeat(claimed, Progress(JobStage.EXTRACTING, 1, 2), tick(), LEASE_S)
    world.wakeups.notify("jobs")
    version_id = await stage(world.store, claimed, "one")
    sequence = await world.store.staging.publish(claimed, version_id, summary("one"), None, tick())
    await world.indexes.apply(sequence)
    world.wakeups.notify("changes")
    async with asyncio.timeout(10):
        await following
    revisions = [job.revision for job in seen]
    assert revisions == sorted(set(revisions))
    assert (seen[0].state, seen[-1].state) == (JobState.QUEUED, JobState.SUCCEEDED)


async def test_a_client_that_resumes_is_not_told_what_it_has_seen(world: World) -> None:
    asked = order()
    job = await world.store.jobs.admit(asked, tick())
    snapshots = world.watching.snapshots(asked.job_id, job.revision)
    upcoming = asyncio.create_task(anext(snapshots))
    await world.store.jobs.cancel(asked.job_id, tick())
    world.wakeups.notify("jobs")
    async with asyncio.timeout(10):
        assert (await upcoming).state is JobState.CANCELLED


async def test_an_idle_job_is_told_again_as_a_sign_of_life(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HEARTBEAT_S", 0.0)
    monkeypatch.setattr(watching, "LOOK_S", 0.01)
    asked = order()
    await world.store.jobs.admit(asked, tick())
    snapshots = world.watching.snapshots(asked.job_id, -1)
    async with asyncio.timeout(10):
        assert [(await anext(snapshots)).revision for _ in range(3)] == [1, 1, 1]


async def test_waiting_returns_with_the_end(world: World) -> None:
    asked = order()
    await world.store.jobs.admit(asked, tick())
    waiting = asyncio.create_task(world.watching.get(asked.job_id, 30.0))
    await asyncio.sleep(0)
    await world.store.jobs.cancel(asked.job_id, tick())
    world.wakeups.notify("jobs")
    async with asyncio.timeout(10):
        assert (await waiting).state is JobState.CANCELLED


async def test_an_unknown_job_is_not_found(world: World) -> None:
    with pytest.raises(JobNotFound):
        await anext(world.watching.snapshots("nothing", -1))
