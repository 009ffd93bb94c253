"""Requests of any size share one thread, turn by turn."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rag_server.use_cases.taking_turns import Places, TakingTurns
from serving.errors import Exhausted

DEADLINE_S = 20.0


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def ones(count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.ones(count, np.int64)


async def test_every_place_is_worked_on_once_the_most_costly_first(executor: ThreadPoolExecutor) -> None:
    costs = np.random.default_rng(7).integers(1, 1_000, 500)
    done: list[int] = []
    await TakingTurns(executor).work_off(lambda places: done.extend(places.tolist()), costs, "work")
    assert sorted(done) == list(range(500))
    assert (np.diff(costs[done]) <= 0).all()


async def test_a_small_request_does_not_wait_for_the_whole_of_a_large_one(executor: ThreadPoolExecutor) -> None:
    turns = TakingTurns(executor)
    ended: list[str] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(places: Places) -> None:
        loop.call_soon_threadsafe(begun.set)
        spin(0.001 * len(places))

    async def request(name: str, count: int) -> None:
        await turns.work_off(work, ones(count), "work")
        ended.append(name)

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        group.create_task(request("large", 1_000))
        await begun.wait()
        group.create_task(request("small", 1))
    assert ended == ["small", "large"]


async def test_too_many_batches_are_refused_with_a_time_to_come_back(executor: ThreadPoolExecutor) -> None:
    turns = TakingTurns(executor, most_batches=2)
    with turns.batch(), turns.batch():
        with pytest.raises(Exhausted) as refused, turns.batch():
            pass
        assert refused.value.reason == "OVERLOADED"
        assert refused.value.retry_after_s is not None
    with turns.batch():
        pass


async def test_the_turn_under_way_is_the_last_of_a_request_that_was_given_up(executor: ThreadPoolExecutor) -> None:
    turns = TakingTurns(executor)
    worked, held = threading.Event(), threading.Event()
    seen: list[int] = []

    def work(places: Places) -> None:
        seen.extend(places.tolist())
        worked.set()
        held.wait(DEADLINE_S)

    task = asyncio.create_task(turns.work_off(work, ones(10_000), "work"))
    await asyncio.to_thread(worked.wait, DEADLINE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.set()
    await turns.work_off(lambda _: None, ones(1), "other")  # the thread is free again
    assert len(seen) < 10_000


def spin(seconds: float) -> None:
    """Work."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
