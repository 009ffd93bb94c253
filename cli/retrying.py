"""Trying again: how long to wait between attempts, and when to stop."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cli.failure import Failure

T = TypeVar("T")

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
LIMIT_S = 60.0  # a server that is restarted by its launcher is back within seconds


class Stopped(Exception):
    """The command was interrupted."""


def delay_s(failures: int, chance: float) -> float:
    """The wait after so many failures in a row, doubling, spread over its upper half by `chance` (0 to 1)."""
    longest_s: float = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (failures - 1))
    return longest_s * (0.5 + chance / 2)


@dataclass(slots=True)
class Patience:
    """How long one piece of work bears failures in a row."""

    stop: threading.Event
    limit_s: float = LIMIT_S
    clock: Callable[[], float] = time.monotonic
    _failures: int = field(default=0, init=False)
    _since_s: float = field(default=0.0, init=False)

    def renew(self) -> None:
        """Something worked."""
        self._failures = 0

    def bear(self, failure: Failure) -> None:
        """Wait before the next attempt. Raises the failure once it will not pass, and Stopped."""
        if self.stop.is_set():
            raise Stopped
        now_s = self.clock()
        if self._failures == 0:
            self._since_s = now_s
        self._failures += 1
        wait_s = max(delay_s(self._failures, random.random()), failure.retry_after_s)  # noqa: S311 - only a jitter
        if not failure.passing or now_s + wait_s - self._since_s > self.limit_s:
            raise failure
        if self.stop.wait(wait_s):
            raise Stopped


def persist(attempt: Callable[[], T], patience: Patience) -> T:
    """What the first attempt that works returns. Raises Failure and Stopped."""
    while True:
        try:
            return attempt()
        except Failure as failure:
            patience.bear(failure)
