"""Leases follow the database's clock, whatever the clocks of the machines say."""

import asyncio
import time

import pytest

from rag_server.adapters.postgres.clock import by_the_database
from rag_server.adapters.postgres.integrity import PostgresIntegrity
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import JobState, Progress
from storage.postgres import PostgresDatabase
from tests.contracts.ingesting import order
from tests.fakes.postgres_store import postgres_ports
from tests.fakes.store_ports import StorePorts

YEAR_S = 365 * 86_400.0
LEASE_S = 60.0


@pytest.fixture
def store(database: PostgresDatabase) -> StorePorts:
    return postgres_ports(database, clock=by_the_database)


@pytest.mark.parametrize("off_s", [-YEAR_S, 0.0, YEAR_S])
async def test_a_worker_whose_clock_is_wrong_keeps_its_lease(
    store: StorePorts, database: PostgresDatabase, off_s: float
) -> None:
    await store.jobs.admit(order(), time.time())
    claimed = await store.slot.claim("slot-0", time.time() + off_s, LEASE_S)
    assert claimed is not None
    assert await store.jobs.sweep(time.time()) == 0
    await store.slot.heartbeat(claimed, Progress(pages_done=1), time.time() + off_s, LEASE_S)
    assert await store.jobs.sweep(time.time() + YEAR_S) == 0
    assert all(invariant.ok for invariant in await PostgresIntegrity(database).check())


@pytest.mark.parametrize("off_s", [-YEAR_S, 0.0, YEAR_S])
async def test_a_lease_runs_out_by_the_databases_clock(store: StorePorts, off_s: float) -> None:
    await store.jobs.admit(order(), time.time())
    assert await store.slot.claim("slot-0", time.time() + off_s, 0.05) is not None
    async with asyncio.timeout(10):
        while await store.jobs.sweep(time.time() - off_s) == 0:
            await asyncio.sleep(0.01)
    assert await store.jobs.counts() == {JobState.QUEUED: 1}


@pytest.mark.parametrize("off_s", [-YEAR_S, YEAR_S])
async def test_a_deferred_job_waits_as_long_as_its_worker_meant(store: StorePorts, off_s: float) -> None:
    now = time.time() + off_s
    for delay_s, due in ((0.0, True), (60.0, False)):
        await store.jobs.admit(order(f"{delay_s}"), time.time())
        claimed = await store.slot.claim("slot-0", now, LEASE_S)
        assert claimed is not None
        await store.slot.defer(claimed, Failure(FailureReason.INTERNAL), now + delay_s, now)
        again = await store.slot.claim("slot-1", time.time() - off_s, LEASE_S)
        assert (again is not None) == due
