"""Those in one process who wait for nudges, and what they have heard of already."""

import asyncio
from collections import Counter
from weakref import WeakKeyDictionary


class Waiters:
    """Belongs to one event loop. A nudge between two waits of a task is remembered for that task."""

    def __init__(self) -> None:
        self._nudges: Counter[str] = Counter()
        self._seen: WeakKeyDictionary[asyncio.Task[object], dict[str, int]] = WeakKeyDictionary()
        self._waiting: dict[asyncio.Future[None], frozenset[str]] = {}
        self._somebody = asyncio.Event()

    def wake(self, topic: str) -> None:
        """Wake all who wait for the topic; an empty one stands for any."""
        self._nudges[topic] += 1
        for woken, topics in self._waiting.items():
            if (not topic or topic in topics) and not woken.done():
                woken.set_result(None)

    def are_waiting(self, topic: str) -> bool:
        """Whether somebody waits for the topic."""
        return any(topic in topics for topics in self._waiting.values())

    async def present(self, topic: str) -> None:
        """Return as soon as somebody waits for the topic."""
        while not self.are_waiting(topic):
            self._somebody.clear()
            await self._somebody.wait()

    async def wait(self, topics: frozenset[str], timeout_s: float) -> None:
        """Return at the next nudge about one of the topics, or when the time is over."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        seen = self._seen.setdefault(task, {})
        if all(self._count(topic) == seen.setdefault(topic, self._count(topic)) for topic in topics):
            woken = asyncio.get_running_loop().create_future()
            self._waiting[woken] = topics
            self._somebody.set()
            try:
                await asyncio.wait({woken}, timeout=timeout_s)
            finally:
                del self._waiting[woken]
        seen.update({topic: self._count(topic) for topic in topics})

    def _count(self, topic: str) -> int:
        return self._nudges[topic] + self._nudges[""]
