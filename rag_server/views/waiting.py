"""Waiting, in event loops, for what a thread does."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    sequence: int
    loop: asyncio.AbstractEventLoop
    reached: asyncio.Event


class Waiters:
    """Those who wait until a sequence is reached; called from any thread."""

    def __init__(self, applied: Callable[[], int]) -> None:
        self._applied = applied
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """Whether it is reached when the time is over; returns as soon as it is."""
        if self._applied() >= sequence:
            return True
        waiter = _Waiter(sequence, asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiters.add(waiter)
        try:
            # Looked at after it was added: what is reached from now on wakes it.
            if self._applied() < sequence:
                async with asyncio.timeout(timeout_s):
                    await waiter.reached.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiters.discard(waiter)
        return True

    def wake(self) -> None:
        """Wake those whose sequence is reached."""
        applied = self._applied()
        with self._lock:
            for waiter in self._waiters:
                if waiter.sequence <= applied and not waiter.loop.is_closed():
                    waiter.loop.call_soon_threadsafe(waiter.reached.set)
