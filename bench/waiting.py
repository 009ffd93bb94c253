"""Waiting for a condition, with a deadline."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
INTERVAL_S = 0.05


def until(condition: Callable[[], T | None], deadline_s: float, what: str, interval_s: float = INTERVAL_S) -> T:
    """The first answer of `condition` that is true; an empty one is none. Raises TimeoutError that says `what`."""
    end_s = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end_s:
            raise TimeoutError(f"{what}: not within {deadline_s:.0f} s")
        pause(interval_s)


def pause(seconds: float) -> None:
    """Let time pass where time itself is what is wanted: between two looks, or two requests of a schedule."""
    threading.Event().wait(max(0.0, seconds))
