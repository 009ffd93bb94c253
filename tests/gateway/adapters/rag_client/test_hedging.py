"""Two attempts at a question: when the second begins, and whose answer counts."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.adapters.rag_client.hedging import Hedging
from gateway.domain.errors import RagServerSlow, RagServerUnavailable
from tests.gateway.world import eventually

LONG_S = 60.0
SOON_S = 0.01
KIND = "search"


class Refused(Exception):
    """An answer that is no success."""


class Attempts:
    """Attempts that do, one after the other, what they are told to; without more to do they hang."""

    def __init__(self, *does: object) -> None:
        self._does = list(does)
        self.timeouts_s: list[float] = []
        self.cancelled = 0

    async def __call__(self, timeout_s: float) -> object:
        self.timeouts_s.append(timeout_s)
        if len(self.timeouts_s) > len(self._does) or self._does[len(self.timeouts_s) - 1] is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        done = self._does[len(self.timeouts_s) - 1]
        if isinstance(done, Exception):
            raise done
        return done


class Noted(Attempts):
    """Hangs at first; the second attempt answers and is noted."""

    def __init__(self, kind: str, asked_again: list[str]) -> None:
        super().__init__(None, kind)
        self._asked_again = asked_again

    async def __call__(self, timeout_s: float) -> object:
        if self.timeouts_s:
            self._asked_again.append(str(self._does[1]))
        return await super().__call__(timeout_s)


async def test_what_is_answered_in_good_time_is_asked_once() -> None:
    attempts = Attempts("first", "second")
    assert await Hedging(LONG_S).first(KIND, attempts, 5) == "first"
    assert attempts.timeouts_s == [5]


async def test_a_silent_one_is_passed_over_and_ended() -> None:
    attempts = Attempts(None, "second")
    assert await Hedging(SOON_S).first(KIND, attempts, 5) == "second"
    assert attempts.timeouts_s[1] < 5
    await asyncio.sleep(0)
    assert attempts.cancelled == 1


async def test_silent_ones_are_passed_over_until_the_time_is_used_up() -> None:
    assert await Hedging(SOON_S).first(KIND, Attempts(None, None, None, "fourth"), 5) == "fourth"
    attempts = Attempts(None, None, None, None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await Hedging(SOON_S).first(KIND, attempts, 5 * SOON_S)
    assert 2 <= len(attempts.timeouts_s) <= 1 + 5 * 2


async def test_the_first_may_still_be_the_one_to_answer() -> None:
    woken = asyncio.Event()

    async def first_wakes(_timeout_s: float) -> str:
        if not woken.is_set():
            woken.set()
            await asyncio.sleep(10 * SOON_S)
            return "first"
        return await asyncio.Future()

    assert await Hedging(SOON_S).first(KIND, first_wakes, 5) == "first"


async def test_a_lost_one_is_asked_again_at_once_also_patiently() -> None:
    for patiently in (False, True):
        attempts = Attempts(RagServerUnavailable(), "second")
        assert await Hedging(LONG_S).first(KIND, attempts, 5, patiently=patiently) == "second"


async def test_an_answer_that_is_no_success_is_an_answer() -> None:
    attempts = Attempts(Refused(), "second")
    with pytest.raises(Refused):
        await Hedging(LONG_S).first(KIND, attempts, 5)
    assert len(attempts.timeouts_s) == 1


async def test_a_silent_one_counts_where_the_second_is_lost() -> None:
    begun: list[float] = []

    async def second_is_lost(timeout_s: float) -> str:
        begun.append(timeout_s)
        if len(begun) == 2:
            raise RagServerUnavailable
        await asyncio.sleep(5 * SOON_S)
        return "first"

    assert await Hedging(SOON_S).first(KIND, second_is_lost, 5) == "first"


async def test_two_that_are_lost_are_told() -> None:
    with pytest.raises(RagServerUnavailable):
        await Hedging(LONG_S).first(KIND, Attempts(RagServerUnavailable(), RagServerUnavailable()), 5)


async def test_nothing_is_asked_again_when_the_time_is_used_up() -> None:
    attempts = Attempts(RagServerSlow(), "second")
    with pytest.raises(RagServerSlow):
        await Hedging(LONG_S).first(KIND, attempts, 0)
    assert len(attempts.timeouts_s) == 1


@pytest.mark.parametrize(("most_beside", "patiently"), [(0, False), (1, True)])
async def test_a_silent_one_is_waited_for(most_beside: int, *, patiently: bool) -> None:
    answers = iter([_later("first"), _later("second")])
    hedging = Hedging(SOON_S, most_beside)
    assert await hedging.first(KIND, lambda _: next(answers)(), 5, patiently=patiently) == "first"


async def test_silence_is_nothing_special_where_answers_take_long() -> None:
    hedging = Hedging(SOON_S)

    async def takes_long(_timeout_s: float) -> str:
        await asyncio.sleep(20 * SOON_S)
        return "told"

    for kind in ("slow", "slow for once"):
        assert await hedging.first(kind, takes_long, 5) == "told"
    assert await hedging.first("patient", takes_long, 5, patiently=True) == "told"
    for _ in range(50):
        await hedging.first("slow for once", Attempts("at once"), 5)
    asked_again: list[str] = []
    kinds = ("slow", "slow for once", "patient", "unknown")
    await asyncio.gather(*(hedging.first(kind, Noted(kind, asked_again), 5) for kind in kinds))
    assert asked_again[-1] == "slow"


async def test_only_so_many_are_asked_twice_at_once() -> None:
    attempts = Attempts()
    hedging = Hedging(SOON_S, most_beside=2)
    asking = [asyncio.create_task(hedging.first(KIND, attempts, 5)) for _ in range(5)]

    async def seven() -> bool:
        return len(attempts.timeouts_s) == 5 + 2

    await eventually(seven)
    await asyncio.sleep(5 * SOON_S)
    assert len(attempts.timeouts_s) == 5 + 2
    for one in asking:
        one.cancel()
    await asyncio.wait(asking)
    await asyncio.sleep(0)
    assert attempts.cancelled == 5 + 2


def _later(answer: str) -> Callable[[], Coroutine[Any, Any, str]]:
    async def told() -> str:
        await asyncio.sleep(5 * SOON_S)
        return answer

    return told
