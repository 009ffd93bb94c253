"""Nudges within one process: whoever shares the object is a peer."""

import asyncio
from collections import Counter
from weakref import WeakKeyDictionary


class MemoryWakeups:
    def __init__(self) -> None:
        self._nudges: Counter[str] = Counter()
        self._seen: WeakKeyDictionary[asyncio.Task[object], dict[str, int]] = WeakKeyDictionary()
        self._waiters: dict[asyncio.Future[None], frozenset[str]] = {}

    def notify(self, topic: str) -> None:
        self._nudges[topic] += 1
        for woken, topics in self._waiters.items():
            if topic in topics and not woken.done():
                woken.set_result(None)

    async def wait(self, topics: frozenset[str], timeout_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        seen = self._seen.setdefault(task, {})
        if all(self._nudges[topic] == seen.get(topic, self._nudges[topic]) for topic in topics):
            woken = asyncio.get_running_loop().create_future()
            self._waiters[woken] = topics
            try:
                await asyncio.wait({woken}, timeout=timeout_s)
            finally:
                del self._waiters[woken]
        seen.update({topic: self._nudges[topic] for topic in topics})
