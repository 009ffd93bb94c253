"""Gathering: what comes while all threads are busy is worked on together."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Generic, TypeVar

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")

# One outcome for each that was asked, in order; told in portions, as they are ready.
Work = Callable[[Sequence[AskedT]], Iterator[Sequence[AnswerT | Exception]]]


# A thread that told nothing for so long is busy with something large: others need not wait for it.
PATIENCE_S = 0.1


class Gathering(Generic[AskedT, AnswerT]):
    """Hands what waits to one thread: one by one where there is little, in batches where there is much.

    One is enough as long as it gets on: threads of one interpreter that compute take it from one another. Only while
    one is stuck in something large does another take over what waits.
    """

    def __init__(self, work: Work[AskedT, AnswerT], executor: Executor, threads: int, most: int) -> None:
        """At most `threads` of the executor are used at once; a batch has at most `most`."""
        self._work = work
        self._executor = executor
        self._threads = threads
        self._most = most
        self._waiting: deque[tuple[AskedT, asyncio.Future[AnswerT]]] = deque()
        self._busy = 0
        self._told_s = 0.0  # when an outcome was told last, or a thread began
        self._lock = threading.Lock()

    async def ask(self, asked: AskedT) -> AnswerT:
        """What the work makes of it. Raises what the work yields as an exception."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[AnswerT] = loop.create_future()
        self._waiting.append((asked, future))
        if not self._begun():
            loop.call_later(PATIENCE_S, self._begun)
        return await future

    def _begun(self) -> bool:
        """Whether a thread has begun for what waits; it does where none is busy, or all that are seem stuck."""
        now_s = time.monotonic()
        with self._lock:
            stuck = 0 < self._busy < self._threads and now_s - self._told_s >= PATIENCE_S
            if not self._waiting or not (stuck or self._busy == 0):
                return False
            self._busy += 1
            self._told_s = now_s
        self._executor.submit(self._drain)
        return True

    def _drain(self) -> None:
        """In a thread of the executor, until nothing waits."""
        while batch := self._taken():
            left = [future for _, future in batch]
            try:
                for portion in self._work([asked for asked, _ in batch]):
                    self._told_s = time.monotonic()
                    _tell(left[: len(portion)], portion)
                    del left[: len(portion)]
            except Exception as error:  # noqa: BLE001 - handed to those who wait
                _tell(left, [error] * len(left))

    def _taken(self) -> list[tuple[AskedT, asyncio.Future[AnswerT]]]:
        """What waits, or a part of it; nothing: this thread is free again."""
        with self._lock:
            batch: list[tuple[AskedT, asyncio.Future[AnswerT]]] = []
            while self._waiting and len(batch) < self._most:
                asked, future = self._waiting.popleft()
                if not future.cancelled():
                    batch.append((asked, future))
            self._busy -= not batch
            return batch


def _tell(futures: Sequence[asyncio.Future[AnswerT]], outcomes: Sequence[AnswerT | Exception]) -> None:
    """From any thread. All at once: each call wakes the loop, which then wants the interpreter of this thread."""
    with suppress(RuntimeError):  # the loop is closed: nobody waits
        if futures:
            futures[0].get_loop().call_soon_threadsafe(_set, tuple(futures), outcomes)


def _set(futures: Sequence[asyncio.Future[AnswerT]], outcomes: Sequence[AnswerT | Exception]) -> None:
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():  # who asked waits no longer
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
