"""How long the stages of one search take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rag_server.domain.explanation import Stage, StageTime


class StageClock:
    """Adds up the turns of each stage; belongs to one search in one thread."""

    def __init__(self) -> None:
        self._took_s: dict[Stage, float] = {}

    @contextmanager
    def measuring(self, stage: Stage) -> Iterator[None]:
        """The block is a turn of the stage."""
        begun_s = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begun_s)

    def add(self, stage: Stage, took_s: float) -> None:
        """A turn of the stage has ended."""
        self._took_s[stage] = self._took_s.get(stage, 0.0) + took_s

    def times(self) -> tuple[StageTime, ...]:
        """In the order in which the stages first ended."""
        return tuple(StageTime(stage, took_s) for stage, took_s in self._took_s.items())
