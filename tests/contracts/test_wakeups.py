"""What every implementation of the port Wakeups does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rag_server.adapters.redis.wakeups import RedisWakeups
from rag_server.adapters.sockets.wakeups import SocketWakeups
from rag_server.ports import Wakeups
from tests.fakes.memory_wakeups import MemoryWakeups

QUEUE = frozenset({"queue"})
LONG_S = 60.0  # a wait that lasts this long fails by the test's own deadline


@dataclass(frozen=True, slots=True)
class Processes:
    serve: Wakeups
    work: Wakeups


@pytest.fixture(params=["memory", "sockets", "redis"])
async def processes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Processes]:
    if request.param == "memory":
        wakeups = MemoryWakeups()
        yield Processes(wakeups, wakeups)
        return
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        async with RedisWakeups(url, tmp_path.name) as one, RedisWakeups(url, tmp_path.name) as other:
            yield Processes(one, other)
        return
    serve = SocketWakeups(tmp_path, "serve", ["work"])
    work = SocketWakeups(tmp_path, "work", ["serve"])
    yield Processes(serve, work)
    serve.close()
    work.close()


async def _waiting(wakeups: Wakeups, topics: frozenset[str]) -> asyncio.Task[None]:
    """A task that has begun to wait."""
    task = asyncio.create_task(wakeups.wait(topics, LONG_S))
    await asyncio.sleep(0)
    return task


async def _is_woken(task: asyncio.Task[None]) -> bool:
    """Whether the task ends long before its time is over."""
    await asyncio.wait({task}, timeout=10.0)
    return task.done()


async def test_a_nudge_wakes_the_other_process(processes: Processes) -> None:
    waiting = await _waiting(processes.work, QUEUE)
    processes.serve.notify("queue")
    assert await _is_woken(waiting)


async def test_a_nudge_wakes_every_waiter_of_the_topic_and_no_other(processes: Processes) -> None:
    streams = [await _waiting(processes.serve, frozenset({"jobs", "changes"})) for _ in range(5)]
    other = await _waiting(processes.serve, QUEUE)
    processes.work.notify("jobs")
    assert all([await _is_woken(stream) for stream in streams])
    assert not other.done()
    other.cancel()


async def test_a_nudge_wakes_waiters_in_its_own_process(processes: Processes) -> None:
    waiting = await _waiting(processes.serve, frozenset({"jobs"}))
    processes.serve.notify("jobs")
    assert await _is_woken(waiting)


async def test_a_nudge_between_two_waits_is_not_lost(processes: Processes) -> None:
    async def two_waits() -> None:
        await processes.work.wait(QUEUE, 0.0)
        processes.serve.notify("queue")
        await asyncio.sleep(0)
        await processes.work.wait(QUEUE, LONG_S)

    assert await _is_woken(asyncio.create_task(two_waits()))


async def test_each_of_several_waiters_remembers_for_itself(processes: Processes) -> None:
    begun = asyncio.Barrier(3)

    async def two_waits() -> None:
        await processes.work.wait(QUEUE, 0.0)
        await begun.wait()
        await begun.wait()
        await processes.work.wait(QUEUE, LONG_S)

    tasks = [asyncio.create_task(two_waits()) for _ in range(2)]
    await begun.wait()
    processes.serve.notify("queue")
    await begun.wait()
    assert all([await _is_woken(task) for task in tasks])


async def test_a_nudge_wakes_once_only(processes: Processes) -> None:
    waited = asyncio.Event()

    async def two_waits() -> None:
        await processes.work.wait(QUEUE, LONG_S)
        waited.set()
        await processes.work.wait(QUEUE, LONG_S)

    task = asyncio.create_task(two_waits())
    await asyncio.sleep(0)
    processes.serve.notify("queue")
    await asyncio.wait_for(waited.wait(), 10.0)
    assert (await asyncio.wait({task}, timeout=0.05))[1] == {task}
    task.cancel()


async def test_a_wait_ends_when_its_time_is_over(processes: Processes) -> None:
    await asyncio.wait_for(processes.work.wait(QUEUE, 0.01), 10.0)


async def test_a_cancelled_wait_leaves_the_others_alone(processes: Processes) -> None:
    cancelled = await _waiting(processes.work, QUEUE)
    waiting = await _waiting(processes.work, QUEUE)
    cancelled.cancel()
    processes.serve.notify("queue")
    assert await _is_woken(waiting)


async def test_thousands_of_nudges_neither_block_nor_fail(processes: Processes) -> None:
    waiting = await _waiting(processes.work, QUEUE)
    for _ in range(2_000):
        processes.serve.notify("jobs")
    processes.serve.notify("queue")
    assert await _is_woken(waiting)
