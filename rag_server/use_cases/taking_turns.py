"""Taking turns: large and small requests share one thread, and none waits for the whole of another."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.pace import Pace
from serving.errors import Exhausted

MOST_BATCHES = 16
RETRY_S = 5.0

Places = NDArray[np.intp]


class TakingTurns:
    """Cuts work into turns of some ten milliseconds, which the thread takes up in the order in which they come.

    For one event loop. An executor of one thread lets one turn of each batch follow the other's.
    """

    def __init__(self, executor: Executor, most_batches: int = MOST_BATCHES) -> None:
        self._executor = executor
        self._most_batches = most_batches
        self._batches = 0
        self._paces: dict[str, Pace] = {}

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Be one of the batches under way. Raises Exhausted where there are enough."""
        if self._batches >= self._most_batches:
            raise Exhausted("Too many batches are under way; try again later.", retry_after_s=RETRY_S)
        self._batches += 1
        try:
            yield
        finally:
            self._batches -= 1

    async def work_off(self, work: Callable[[Places], None], costs: NDArray[np.int64], kind: str) -> None:
        """Call `work` with every place of `costs` once, in turns, the most costly first.

        `kind` names what has one speed. When the caller is cancelled the turn under way is the last.
        """
        left = np.argsort(-costs, kind="stable")  # alike next to alike: least padding
        while len(left):
            pace = self._paces.get(kind, Pace())
            turn = left[: pace.share(costs[left])]
            took_s = await asyncio.get_running_loop().run_in_executor(self._executor, _timed, work, turn)
            self._paces[kind] = pace.after(int(costs[turn].sum()), took_s)
            left = left[len(turn) :]


def _timed(work: Callable[[Places], None], places: Places) -> float:
    started_s = time.perf_counter()
    work(places)
    return time.perf_counter() - started_s
