"""Questions asked of one server after the other while none of them answers.

Hedged requests, after Dean and Barroso, The Tail at Scale, Communications of the ACM 56(2), 2013. A replica that hangs
is taken out by the checks of its health only after some seconds; until then it is given questions like every other.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, TypeVar

from gateway.domain.errors import RagServerUnavailable
from serving import logs

LOG = logs.get(__name__)
T = TypeVar("T")

# Between half of it and all: servers are asked by turns, and two that ask in the same rhythm, as this and the checks of
# health would, are given the same ones again and again.
SILENT_S = 1.0
# Silence means something only where others are answered much sooner: servers that are slow because they have too much
# to do, or to rerank, are not given more.
SLOWER = 4
MOST_SILENT_S = 4.0  # all the same
FORGETTING = 0.1  # of what was usual, with each answer that came sooner
MOST_BESIDE = 32  # of all questions together
MOST_LOST = 2  # of one question


class Hedging:
    """Puts a question again where it is lost, and beside itself where it is not answered in good time."""

    def __init__(self, silent_s: float = SILENT_S, most_beside: int = MOST_BESIDE) -> None:
        """`silent_s` lie between two attempts, at most; `most_beside` are under way besides each question's first."""
        self._silent_s = silent_s
        self._most_beside = most_beside
        self._beside = 0
        self._usual_s: dict[Hashable, float] = {}

    async def first(
        self,
        kind: Hashable,
        attempt: Callable[[float], Coroutine[Any, Any, T]],
        timeout_s: float,
        *,
        patiently: bool = False,
    ) -> T:
        """What the first attempt to be answered gives; each is told how many seconds it has.

        Questions of one `kind` usually take the same time. Asked `patiently` only a lost attempt is followed by
        another. Raises what an attempt raises; RagServerUnavailable only where all are lost, or the time is used up.
        """
        # How long a patient question took says nothing of the others of its kind.
        begin = attempt if patiently else partial(self._timed, kind, attempt)
        end_s = time.monotonic() + timeout_s
        waiting = {asyncio.create_task(begin(timeout_s))}
        lost, beside = 0, 0
        try:
            while True:
                silence_s = None if patiently else self._silence_s(kind)
                done, waiting = await asyncio.wait(waiting, timeout=silence_s, return_when=asyncio.FIRST_COMPLETED)
                if (answered := _answered(done)) is not None:
                    return answered.result()
                lost += len(done)
                left_s = end_s - time.monotonic()
                is_over = left_s <= 0 or lost >= MOST_LOST
                if is_over and not waiting:
                    return done.pop().result()
                if is_over or (waiting and self._beside >= self._most_beside):
                    continue
                LOG.info("asked again", other="silent" if waiting else "lost")
                self._beside += bool(waiting)
                beside += bool(waiting)
                waiting.add(asyncio.create_task(begin(left_s)))
        finally:
            self._beside -= beside
            for one in waiting:
                one.cancel()

    def _silence_s(self, kind: Hashable) -> float:
        longest_s = max(self._silent_s, min(MOST_SILENT_S, SLOWER * self._usual_s.get(kind, 0.0)))
        return longest_s * (0.5 + random.random() / 2)  # noqa: S311 - guards nothing

    async def _timed(self, kind: Hashable, attempt: Callable[[float], Coroutine[Any, Any, T]], timeout_s: float) -> T:
        begun_s = time.monotonic()
        answer = await attempt(timeout_s)
        took_s, usual_s = time.monotonic() - begun_s, self._usual_s.get(kind, 0.0)
        self._usual_s[kind] = max(took_s, usual_s + FORGETTING * (took_s - usual_s))
        return answer


def _answered(done: "set[asyncio.Task[T]]") -> "asyncio.Task[T] | None":
    return next((one for one in done if not isinstance(one.exception(), RagServerUnavailable)), None)
