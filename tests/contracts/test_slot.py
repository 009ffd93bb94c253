"""What every implementation of the port Slot does."""

import pytest

from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import MAX_ATTEMPTS, MAX_CRASHES, Claim, JobStage, JobState, Progress
from rag_server.ports import LeaseLost
from tests.contracts.ingesting import LEASE_S, claim, found_texts, order, stage, summary, tick
from tests.fakes.store_ports import StorePorts

CORRUPT = Failure(FailureReason.CORRUPT)
INTERNAL = Failure(FailureReason.INTERNAL, "The disk was away.", {"attempt": "8"})


async def test_an_empty_queue_gives_no_claim(store: StorePorts) -> None:
    assert await store.slot.claim("slot-0", tick(), LEASE_S) is None


async def test_the_highest_priority_is_claimed_first_and_then_the_oldest(store: StorePorts) -> None:
    for key, priority in [("a", 5), ("b", 9), ("c", 5), ("d", 0), ("e", 9)]:
        await store.jobs.admit(order(key, priority=priority), tick())
    assert [(await claim(store)).job.order.document_key for _ in range(5)] == ["b", "e", "a", "c", "d"]


async def test_a_claim_runs_the_job_under_a_new_fence(store: StorePorts) -> None:
    await store.jobs.admit(order(), 1.0)
    claimed = await claim(store, now=2.0)
    job = claimed.job
    assert (job.state, job.revision, job.attempt, job.start_time) == (JobState.RUNNING, 2, 1, 2.0)
    await store.slot.release(claimed, 3.0)
    again = await claim(store, now=4.0)
    assert again.fence == claimed.fence + 1
    assert again.job.start_time == 2.0


async def test_a_job_is_claimed_by_one_only(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    assert await store.slot.claim("slot-0", tick(), LEASE_S) is not None
    assert await store.slot.claim("slot-1", tick(), LEASE_S) is None


async def test_a_heartbeat_keeps_the_lease_and_tells_the_progress(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store, now=100.0)
    progress = Progress(JobStage.EMBEDDING, 3, 4, 5, 6, 7.5, 8.25)
    assert await store.slot.heartbeat(claimed, progress, 110.0, LEASE_S) is False
    job = await store.jobs.get(claimed.job.order.job_id)
    assert (job.progress, job.revision, job.update_time) == (progress, 3, 110.0)
    assert await store.slot.heartbeat(claimed, progress, 120.0, LEASE_S) is False
    same = await store.jobs.get(claimed.job.order.job_id)
    assert (same.revision, same.update_time) == (3, 110.0)
    assert await store.jobs.sweep(130.0) == 0


async def test_a_heartbeat_hears_of_a_cancellation(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    await store.jobs.cancel(claimed.job.order.job_id, tick())
    assert await store.slot.heartbeat(claimed, Progress(), tick(), LEASE_S) is True


async def test_a_failed_job_has_its_reason_and_nothing_of_it_is_found(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    await stage(store, claimed, "one")
    await store.slot.heartbeat(claimed, Progress(JobStage.EMBEDDING, 1, 2, 0, 0, 3.0), tick(), LEASE_S)
    await store.slot.fail(claimed, CORRUPT, 1e6)
    job = await store.jobs.get(claimed.job.order.job_id)
    assert (job.state, job.failure, job.end_time) == (JobState.FAILED, CORRUPT, 1e6)
    assert job.progress == Progress(pages_done=1, pages_total=2)
    assert found_texts(store) == []
    assert await store.staging.drop_retired(100) == 1


async def test_a_deferred_job_waits_for_its_time(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store, now=2_000.0)
    await store.slot.defer(claimed, INTERNAL, 2_060.0, 2_001.0)
    job = await store.jobs.get(claimed.job.order.job_id)
    assert (job.state, job.next_attempt_time, job.failure) == (JobState.QUEUED, 2_060.0, None)
    assert await store.slot.claim("slot-0", 2_059.0, LEASE_S) is None
    again = await claim(store, now=2_060.0)
    assert (again.job.attempt, again.job.next_attempt_time) == (2, None)


async def test_a_job_whose_attempts_are_used_up_is_dead_and_keeps_what_it_staged(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    for attempt in range(1, MAX_ATTEMPTS + 1):
        claimed = await claim(store, now=float(attempt))
        version_id = await stage(store, claimed, "one")
        await store.slot.defer(claimed, INTERNAL, 0.0, float(attempt))
    job = await store.jobs.get(asked.job_id)
    assert (job.state, job.failure, job.attempt) == (JobState.DEAD, INTERNAL, MAX_ATTEMPTS)
    assert await store.staging.drop_retired(100) == 0
    await store.jobs.retry(asked.job_id, tick())
    assert await store.staging.begin(await claim(store)) == version_id


async def test_crashed_attempts_are_counted_apart(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, 0.0)
    for _ in range(MAX_CRASHES - 1):
        await claim(store, now=1.0)
        await store.jobs.sweep(100.0)
    for _ in range(MAX_ATTEMPTS - 1):
        await store.slot.defer(await claim(store, now=200.0), INTERNAL, 0.0, 200.0)
    assert (await store.jobs.get(asked.job_id)).state is JobState.QUEUED
    await store.slot.defer(await claim(store, now=200.0), INTERNAL, 0.0, 200.0)
    assert (await store.jobs.get(asked.job_id)).state is JobState.DEAD


async def test_a_released_job_is_queued_at_once_and_its_attempt_not_counted(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    await store.slot.release(claimed, tick())
    job = await store.jobs.get(claimed.job.order.job_id)
    assert (job.state, job.attempt, job.next_attempt_time) == (JobState.QUEUED, 0, None)


@pytest.mark.parametrize("way", ["defer", "release"])
async def test_a_job_that_is_to_be_cancelled_ends_however_its_worker_leaves_it(store: StorePorts, way: str) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    await stage(store, claimed, "one")
    await store.jobs.cancel(claimed.job.order.job_id, tick())
    if way == "defer":
        await store.slot.defer(claimed, INTERNAL, tick(), tick())
    else:
        await store.slot.release(claimed, tick())
    assert (await store.jobs.get(claimed.job.order.job_id)).state is JobState.CANCELLED
    assert await store.staging.drop_retired(100) == 1


async def test_a_restarted_slot_takes_its_own_lease_back_at_once(store: StorePorts) -> None:
    await store.jobs.admit(order("a"), tick())
    await store.jobs.admit(order("b"), tick())
    mine = await claim(store)
    other = await store.slot.claim("slot-1", tick(), LEASE_S)
    assert other is not None
    assert await store.slot.reclaim("slot-0", tick()) == 1
    assert await store.slot.reclaim("slot-0", tick()) == 0
    job = await store.jobs.get(mine.job.order.job_id)
    assert (job.state, job.crashes) == (JobState.QUEUED, 1)
    assert await store.slot.heartbeat(other, Progress(), tick(), LEASE_S) is False


async def test_a_slot_that_dies_again_and_again_kills_the_job(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    for _ in range(MAX_CRASHES):
        claimed = await claim(store)
        await store.slot.reclaim("slot-0", tick())
    assert (await store.jobs.get(claimed.job.order.job_id)).failure == Failure(FailureReason.WORKER_CRASHED)


async def _zombie(store: StorePorts) -> Claim:
    """A claim that was lost, with a staged version."""
    await store.jobs.admit(order(), tick())
    zombie = await claim(store, now=1.0)
    await stage(store, zombie, "one")
    assert await store.jobs.sweep(tick()) == 1
    return zombie


@pytest.mark.parametrize("meanwhile", ["the job waits", "the job was claimed again"])
async def test_a_lost_claim_has_no_effect(store: StorePorts, meanwhile: str) -> None:
    zombie = await _zombie(store)
    if meanwhile == "the job was claimed again":
        await claim(store)
    before = await store.jobs.get(zombie.job.order.job_id)
    version_id = 1
    for effect in (
        store.slot.heartbeat(zombie, Progress(pages_done=9), tick(), LEASE_S),
        store.slot.fail(zombie, CORRUPT, tick()),
        store.slot.cancelled(zombie, tick()),
        store.slot.defer(zombie, INTERNAL, tick(), tick()),
        store.slot.release(zombie, tick()),
        store.staging.unchanged(zombie, tick()),
        store.staging.begin(zombie),
        store.staging.known_vectors(zombie, [b"0" * 32]),
        store.staging.stage_text(zombie, version_id, [(1, 0, "two")]),
        store.staging.stage_chunks(zombie, version_id, []),
        store.staging.publish(zombie, version_id, summary("one"), None, tick()),
    ):
        with pytest.raises(LeaseLost):
            await effect
    assert await store.jobs.get(zombie.job.order.job_id) == before
    assert store.change_log.last_sequence() == 0


async def _leave(store: StorePorts, claimed: Claim, way: str) -> None:
    if way == "reclaim":
        await store.slot.reclaim("slot-0", tick())
    elif way == "sweep":
        await store.jobs.sweep(1e7)
    elif way == "defer":
        await store.slot.defer(claimed, INTERNAL, 0.0, tick())
    else:
        await store.slot.release(claimed, tick())


@pytest.mark.parametrize("way", ["reclaim", "sweep", "defer", "release"])
async def test_an_ended_job_keeps_its_amounts_and_a_queued_one_begins_at_nothing(store: StorePorts, way: str) -> None:
    progress = Progress(JobStage.EMBEDDING, 3, 4, 5, 6, 7.5, 8.25)
    asked = order()
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    await store.slot.heartbeat(claimed, progress, tick(), LEASE_S)
    await _leave(store, claimed, way)
    queued = await store.jobs.get(asked.job_id)
    assert (queued.state, queued.progress) == (JobState.QUEUED, Progress())
    claimed = await claim(store)
    await store.slot.heartbeat(claimed, progress, tick(), LEASE_S)
    await store.jobs.cancel(asked.job_id, tick())
    await _leave(store, claimed, way)
    ended = await store.jobs.get(asked.job_id)
    assert (ended.state, ended.progress) == (JobState.CANCELLED, Progress(None, 3, 4, 5, 6))


@pytest.mark.parametrize(("way", "times"), [("reclaim", MAX_CRASHES), ("defer", MAX_ATTEMPTS)])
async def test_a_dead_job_keeps_its_amounts(store: StorePorts, way: str, times: int) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    for _ in range(times):
        claimed = await claim(store)
        await store.slot.heartbeat(claimed, Progress(JobStage.EXTRACTING, 3, 4), tick(), LEASE_S)
        await _leave(store, claimed, way)
    dead = await store.jobs.get(asked.job_id)
    assert (dead.state, dead.progress) == (JobState.DEAD, Progress(None, 3, 4))
