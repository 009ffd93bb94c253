"""Working together on what waits."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag_server.use_cases import gathering as module
from rag_server.use_cases.gathering import Gathering

LONG_S = 10.0


class Doubling:
    """Doubles numbers, in batches that it remembers; holds each batch until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go_on = threading.Semaphore(0)

    def __call__(self, numbers: Sequence[int]) -> Iterator[Sequence[int | Exception]]:
        self.batches.append(list(numbers))
        assert self.may_go_on.acquire(timeout=LONG_S)
        for number in numbers:
            yield [2 * number if number >= 0 else ValueError(str(number))]


async def _begun(work: Doubling, batches: int) -> None:
    async with asyncio.timeout(LONG_S):
        while len(work.batches) < batches:
            await asyncio.sleep(0)


async def test_what_comes_while_the_threads_are_busy_is_worked_on_together() -> None:
    work = Doubling()
    with ThreadPoolExecutor(1) as executor:
        gathering: Gathering[int, int] = Gathering(work, executor, threads=1, most=3)
        first = asyncio.create_task(gathering.ask(0))
        await _begun(work, 1)
        later = [asyncio.create_task(gathering.ask(number)) for number in range(1, 6)]
        await asyncio.sleep(0)
        work.may_go_on.release(3)
        assert await asyncio.gather(first, *later) == [0, 2, 4, 6, 8, 10]
    assert work.batches == [[0], [1, 2, 3], [4, 5]]


async def test_another_thread_takes_over_where_one_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    stuck = threading.Event()

    def work(numbers: Sequence[int]) -> Iterator[Sequence[int | Exception]]:
        for number in numbers:
            assert number or stuck.wait(LONG_S)
            yield [number]

    with ThreadPoolExecutor(2) as executor:
        gathering: Gathering[int, int] = Gathering(work, executor, threads=2, most=16)
        first = asyncio.create_task(gathering.ask(0))
        later = [asyncio.create_task(gathering.ask(number)) for number in range(1, 6)]
        async with asyncio.timeout(LONG_S):
            assert await asyncio.gather(*later) == [1, 2, 3, 4, 5]
        assert not first.done()
        stuck.set()
        assert await first == 0


async def test_one_that_fails_fails_alone() -> None:
    work = Doubling()
    work.may_go_on.release(20)
    with ThreadPoolExecutor(1) as executor:
        gathering: Gathering[int, int] = Gathering(work, executor, threads=1, most=8)
        answers = await asyncio.gather(*(gathering.ask(number) for number in (1, -1, 2)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 4


async def test_work_that_breaks_off_fails_all_that_it_left() -> None:
    def breaking(numbers: Sequence[int]) -> Iterator[Sequence[int | Exception]]:
        yield numbers[:1]
        raise RuntimeError("broken")

    with ThreadPoolExecutor(1) as executor:
        gathering: Gathering[int, int] = Gathering(breaking, executor, threads=1, most=8)
        tasks = [asyncio.create_task(gathering.ask(number)) for number in range(4)]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, RuntimeError | int) for answer in answers)
        assert await gathering.ask(7) == 7


async def test_who_waits_no_longer_costs_nothing() -> None:
    work = Doubling()
    with ThreadPoolExecutor(1) as executor:
        gathering: Gathering[int, int] = Gathering(work, executor, threads=1, most=8)
        first = asyncio.create_task(gathering.ask(1))
        await _begun(work, 1)
        given_up = asyncio.create_task(gathering.ask(2))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        work.may_go_on.release(5)
        assert await first == 2
        assert await gathering.ask(3) == 6
    assert [2] not in work.batches
