"""Health names every part, and the counts say how jobs end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_server.adapters.flock.slots import SlotLock
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.health import Condition, Part, WorkerState
from rag_server.domain.job import JobCount, JobState
from rag_server.use_cases.examining import Examining
from storage.blobs import BlobFolder
from tests.contracts.ingesting import claim, order, tick
from tests.fakes.following_indexes import FollowingIndexes
from tests.fakes.store_ports import StorePorts, memory_ports

SLOT = "slot-1"


@pytest.fixture
def store() -> StorePorts:
    return memory_ports()


@pytest.fixture
def examining(store: StorePorts, tmp_path: Path) -> Examining:
    parts = store.jobs, store.queueing, store.change_log, FollowingIndexes(), BlobFolder(tmp_path / "blobs")
    return Examining(*parts, SlotLock(tmp_path), (), "bundled", 0)


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[SlotLock]:
    """Held by this process."""
    slots = SlotLock(tmp_path)
    descriptor = slots.take(SLOT)
    yield slots
    os.close(descriptor)


async def part(examining: Examining, name: str) -> Part:
    return next(part for part in await examining.health() if part.name == name)


async def test_the_parts_come_in_the_order_of_the_data(examining: Examining, slots: SlotLock) -> None:
    slots.tell(WorkerState(SLOT, os.getpid(), "rlimits+seccomp+landlock7"))
    names = [part.name for part in await examining.health()]
    assert names == ["store", "worker", "extractor", "index", "model", "disk"]
    assert all(part.condition is Condition.OK for part in await examining.health())


async def test_without_a_worker_there_is_no_extractor_either(examining: Examining) -> None:
    assert (await part(examining, "worker")).condition is Condition.DEGRADED
    assert (await part(examining, "extractor")).condition is Condition.DEGRADED


async def test_a_paused_queue_is_told_with_the_moment(examining: Examining, store: StorePorts, slots: SlotLock) -> None:
    slots.tell(WorkerState(SLOT, os.getpid(), "rlimits+seccomp+landlock7"))
    await store.jobs.admit(order("a"), tick())
    assert await part(examining, "worker") == Part("worker", Condition.OK, "0 running, 1 queued")
    await store.queueing.pause(86_400.0)
    paused = "the queue is paused since 1970-01-02 00:00:00+00:00; 0 running, 1 queued"
    assert await part(examining, "worker") == Part("worker", Condition.DEGRADED, paused)
    await store.queueing.resume()
    assert (await part(examining, "worker")).condition is Condition.OK


@pytest.mark.parametrize(
    ("isolation", "detail"),
    [
        ("rlimits+seccomp+landlock7", "slot-1 reads in isolation rlimits+seccomp+landlock7"),
        ("rlimits+seccomp", "slot-1 reads in isolation rlimits+seccomp, without landlock"),
        ("rlimits", "slot-1 reads in isolation rlimits, without seccomp and landlock"),
        ("", "slot-1 is starting"),
    ],
)
async def test_the_isolation_of_the_extractor_is_told(
    examining: Examining, slots: SlotLock, isolation: str, detail: str
) -> None:
    slots.tell(WorkerState(SLOT, os.getpid(), isolation))
    assert await part(examining, "extractor") == Part("extractor", Condition.OK, detail)


async def test_counts_come_by_state_and_then_by_frequency(examining: Examining, store: StorePorts) -> None:
    reasons = [FailureReason.CORRUPT, FailureReason.TIMEOUT, FailureReason.TIMEOUT, FailureReason.NO_TEXT]
    for number, reason in enumerate(reasons):
        await store.jobs.admit(order(str(number)), tick())
        await store.slot.fail(await claim(store), Failure(reason), tick())
    await store.jobs.admit(order("last"), tick())
    assert await examining.counts() == [
        JobCount(JobState.QUEUED, None, 1),
        JobCount(JobState.FAILED, FailureReason.TIMEOUT, 2),
        JobCount(JobState.FAILED, FailureReason.CORRUPT, 1),
        JobCount(JobState.FAILED, FailureReason.NO_TEXT, 1),
    ]
