"""What only a store that many machines write to at once can get wrong. Each process has a pool of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from rag_server.adapters.postgres.integrity import PostgresIntegrity
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound
from rag_server.domain.job import IngestOutcome, JobState
from rag_server.ports import JobFilter
from storage.postgres import PostgresDatabase
from storage.postgres_address import Limits
from tests.contracts.ingesting import LEASE_S, finish, found_texts, ingest, order, stage, summary, tick
from tests.fakes.postgres_store import open_postgres, postgres_ports
from tests.fakes.store_ports import StorePorts

PROCESSES = 8


@pytest.fixture
async def processes(postgres_store_url: str) -> AsyncIterator[list[StorePorts]]:
    # Where sessions are ended all the time, many attempts in a row meet their end on a busy machine.
    patient = Limits(retry_s=120.0)
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(open_postgres(postgres_store_url, patient)) for _ in range(PROCESSES)]
        yield [postgres_ports(database) for database in opened]


async def _work(store: StorePorts, slot: str) -> list[str]:
    """Claim and publish until nothing is left; the ids of the jobs."""
    done = []
    while (claimed := await store.slot.claim(slot, tick(), LEASE_S)) is not None:
        done.append(claimed.job.order.job_id)
        content = f"{claimed.job.order.document_key} one two"
        version_id = await stage(store, claimed, content)
        await store.staging.publish(claimed, version_id, summary(content), None, tick())
    return done


async def _follow(store: StorePorts, published: asyncio.Event) -> list[int]:
    """What a view applies: always only what comes after what it has."""
    applied: list[int] = []
    while True:
        last_round = published.is_set()
        changes = await asyncio.to_thread(store.change_log.changes, applied[-1] if applied else 0, 7)
        applied.extend(change.sequence for change in changes)
        if last_round and not changes:
            return applied


async def test_a_follower_misses_nothing_while_eight_publish(processes: list[StorePorts]) -> None:
    jobs = 120
    for number in range(jobs):
        await processes[0].jobs.admit(order(f"{number}"), tick())
    published = asyncio.Event()
    following = asyncio.create_task(_follow(processes[0], published))
    await asyncio.gather(*(_work(store, f"slot-{n}") for n, store in enumerate(processes)))
    published.set()
    assert await following == list(range(1, jobs + 1))


async def test_each_job_is_claimed_by_exactly_one_of_eight(processes: list[StorePorts]) -> None:
    asked = [order(f"{number}", priority=number % 10) for number in range(100)]
    for each in asked:
        await processes[0].jobs.admit(each, tick())

    async def claim_all(store: StorePorts, slot: str) -> list[str]:
        claims = []
        while (claimed := await store.slot.claim(slot, tick(), LEASE_S)) is not None:
            claims.append(claimed.job.order.job_id)
        return claims

    claims = await asyncio.gather(*(claim_all(store, f"slot-{n}") for n, store in enumerate(processes)))
    assert sorted(job_id for each in claims for job_id in each) == sorted(each.job_id for each in asked)


async def test_a_job_that_another_one_holds_is_passed_over(
    processes: list[StorePorts], database: PostgresDatabase
) -> None:
    first, second = order("a"), order("b")
    for each in (first, second):
        await processes[0].jobs.admit(each, tick())
    async with asyncio.timeout(10):
        connection_holds, release = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        async def hold(connection: object) -> None:
            await connection.execute("SELECT 1 FROM job WHERE job_id = $1 FOR UPDATE", first.job_id)  # type: ignore[attr-defined] # asyncpg has no types
            loop.call_soon_threadsafe(connection_holds.set)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(release.wait(), loop))

        holding = asyncio.create_task(database.write(hold))
        await connection_holds.wait()
        claimed = await processes[0].slot.claim("slot-0", tick(), LEASE_S)
        release.set()
        await holding
    assert claimed is not None
    assert claimed.job.order == second


async def test_the_same_upload_sent_eight_times_at_once_is_one_job(processes: list[StorePorts]) -> None:
    orders = [order(request_id="r-1") for _ in processes]
    jobs = await asyncio.gather(*(s.jobs.admit(o, tick()) for s, o in zip(processes, orders, strict=True)))
    assert len({job.order.job_id for job in jobs}) == 1
    assert await processes[0].jobs.counts() == {JobState.QUEUED: 1}


async def test_of_versions_that_are_published_at_once_the_last_asked_for_stands(processes: list[StorePorts]) -> None:
    asked = [order(content=f"content {number}") for number in range(PROCESSES)]
    for each in asked:
        await processes[0].jobs.admit(each, tick())
    claims = [await store.slot.claim(f"slot-{n}", tick(), LEASE_S) for n, store in enumerate(processes)]

    async def publish(number: int) -> None:
        claimed = claims[number]
        assert claimed is not None
        await finish(processes[number], claimed, f"content {number}")

    await asyncio.gather(*(publish(number) for number in range(PROCESSES)))
    assert found_texts(processes[0]) == ["content", f"{PROCESSES - 1}"]
    jobs = await processes[0].jobs.list_jobs(JobFilter(), "", 99)
    assert {job.state for job in jobs} <= {JobState.SUCCEEDED, JobState.CANCELLED}
    assert jobs[0].state is JobState.SUCCEEDED


async def test_documents_that_come_and_go_at_once_leave_a_sound_store(
    processes: list[StorePorts], database: PostgresDatabase
) -> None:
    """Uploads, deletes of documents and of the whole collection, of few keys, by eight at once."""

    async def live(store: StorePorts, number: int) -> None:
        for step in range(6):
            await store.jobs.admit(order(f"{(number + step) % 3}", f"content {number} {step}"), tick())
            claimed = await store.slot.claim(f"slot-{number}", tick(), LEASE_S)
            if claimed is not None and not await store.staging.unchanged(claimed, tick()):
                await finish(store, claimed, claimed.job.order.document_key)
            if step % 3 == 2:
                for document in await _documents(store):
                    await _delete(store, document)
            if (number, step) == (0, 4):
                await _delete_collection(store)

    await asyncio.gather(*(live(store, number) for number, store in enumerate(processes)))
    found = await PostgresIntegrity(database, 0.0).check()
    assert all(invariant.ok for invariant in found), found


async def _documents(store: StorePorts) -> list[str]:
    if not await store.documents.list_collections("", 1):
        return []
    return [document.document_id for document in await store.documents.list_documents("default", "", 9)]


async def _delete(store: StorePorts, document_id: str) -> None:
    try:
        await store.documents.delete(document_id, "", tick())
    except DocumentNotFound:
        return  # somebody else was faster


async def _delete_collection(store: StorePorts) -> None:
    try:
        await store.documents.delete_collection("default", tick())
    except CollectionNotFound:
        return


async def test_sessions_that_end_while_documents_come_in_lose_and_double_nothing(
    processes: list[StorePorts], database: PostgresDatabase
) -> None:
    done = asyncio.Event()
    me = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"

    async def end_sessions() -> None:
        async def work(connection: object) -> None:
            await connection.execute(me, connection.get_server_pid())  # type: ignore[attr-defined] # as above

        while not done.is_set():
            await database.write(work)
            await asyncio.sleep(0.02)

    async def live(store: StorePorts, number: int) -> None:
        for step in range(4):
            asked = order(f"{number}/{step}", "one two", request_id=f"{number}/{step}")
            await store.jobs.admit(asked, tick())
            if (claimed := await store.slot.claim(f"slot-{number}", tick(), 1e9)) is not None:
                await finish(store, claimed, "one two")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(end_sessions())
        await asyncio.gather(*(live(store, number) for number, store in enumerate(processes[:4])))
        done.set()
    await _work(processes[0], "last")
    assert await processes[0].jobs.counts() == {JobState.SUCCEEDED: 16}
    found = await PostgresIntegrity(database, 0.0).check()
    assert all(invariant.ok for invariant in found), found
    again = await ingest(processes[1], "0/0", "one two")
    assert again.outcome is IngestOutcome.UNCHANGED
