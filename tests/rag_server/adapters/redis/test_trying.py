"""Work that goes on, and ends when it is told to."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as ConnectionLost

from rag_server.adapters.redis.trying import again_and_again, end

DEADLINE_S = 30.0


@pytest.mark.parametrize("fault", [ConnectionLost(), OSError(), AttributeError("a fault of the driver")])
async def test_work_goes_on_after_any_fault(fault: Exception) -> None:
    done = asyncio.Event()
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise fault
        done.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(again_and_again(work))
    async with asyncio.timeout(DEADLINE_S):
        await done.wait()
        await end([task])
    assert task.cancelled()


async def test_a_cancellation_that_is_lost_is_told_again() -> None:
    swallowed = asyncio.Event()

    async def work() -> None:
        while not swallowed.is_set():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(again_and_again(work))
    await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE_S):
        await end([task])
    assert swallowed.is_set()
    assert task.cancelled()
