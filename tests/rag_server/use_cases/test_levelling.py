"""What one server tells as found, all of them find."""

import asyncio

from rag_server.use_cases.levelling import Levelling
from tests.fakes.following_indexes import FollowingIndexes


class Others:
    """Implements the port Replicas: one other server, moved by the test."""

    def __init__(self) -> None:
        self.applied = 0
        self.told: list[int] = []
        self._moved = asyncio.Event()

    def move(self, applied: int) -> None:
        self.applied = applied
        self._moved.set()

    def tell(self, applied: int) -> None:
        self.told.append(applied)

    def least(self, own: int) -> int:
        return min(own, self.applied)

    async def moved(self, timeout_s: float) -> None:
        self._moved.clear()
        async with asyncio.timeout(timeout_s):
            await self._moved.wait()


async def test_the_slowest_says_how_far_all_are() -> None:
    own, others = FollowingIndexes(), Others()
    level = Levelling(own, others)
    await own.apply(5)
    others.move(3)
    assert level.applied_sequence == 3
    others.move(9)
    assert level.applied_sequence == 5


async def test_a_wait_ends_when_the_last_one_has_it() -> None:
    own, others = FollowingIndexes(), Others()
    waiting = asyncio.create_task(Levelling(own, others).wait_for(5, 30.0))
    await own.apply(5)
    assert not waiting.done()
    others.move(4)
    others.move(5)
    assert await waiting


async def test_a_wait_for_one_that_does_not_come_ends_in_time() -> None:
    own, others = FollowingIndexes(), Others()
    level = Levelling(own, others)
    assert not await level.wait_for(1, 0.0)
    await own.apply(1)
    assert not await level.wait_for(1, 0.0)


async def test_the_others_hear_of_every_step() -> None:
    own, others = FollowingIndexes(), Others()
    telling = asyncio.create_task(Levelling(own, others).tell())
    async with asyncio.timeout(10):
        for sequence in (1, 2):
            await own.apply(sequence)
            while sequence not in others.told:
                await asyncio.sleep(0)
    telling.cancel()
