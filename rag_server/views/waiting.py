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
    is_patient: bool


class Waiters:
    """Those who wait until a sequence is reached; called from any thread."""

    def __init__(self, applied: Callable[[], int], hurry: Callable[[], None]) -> None:
        """`hurry` is called when somebody begins to wait who is not patient."""
        self._applied = applied
        self._hurry = hurry
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()

    async def wait_for(self, sequence: int, timeout_s: float, *, patiently: bool = False) -> bool:
        """Whether it is reached when the time is over; returns as soon as it is."""
        if self._applied() >= sequence:
            return True
        waiter = _Waiter(sequence, asyncio.get_running_loop(), asyncio.Event(), patiently)
        with self._lock:
            self._waiters.add(waiter)
        if not patiently:
            self._hurry()
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

    @property
    def are_patient(self) -> bool:
        """Whether nobody of them is in a hurry."""
        with self._lock:
            return all(waiter.is_patient for waiter in self._waiters)

    def wake(self) -> None:
        """Wake those whose sequence is reached."""
        applied = self._applied()
        with self._lock:
            for waiter in self._waiters:
                if waiter.sequence <= applied and not waiter.loop.is_closed():
                    waiter.loop.call_soon_threadsafe(waiter.reached.set)
