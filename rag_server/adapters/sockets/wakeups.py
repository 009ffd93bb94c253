"""Nudges over datagram sockets of the machine (Linux, abstract names: no file is left behind, none is needed)."""

import asyncio
import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

LONGEST_TOPIC = 64  # bytes
# Linux lets as few as ten datagrams wait; then one may have been refused, and it is unknown which.
CROWDED = 10


class SocketWakeups:
    """Implements the port Wakeups for the processes on one store folder, each of which has a role of its own.

    A nudge reaches the waiters of its own process, too. `notify` may be called from any thread. A nudge between two
    waits is remembered for the task that waits: it calls `wait` itself, not in a task made for each wait.
    """

    def __init__(self, folder: Path, role: str, peers: Sequence[str]) -> None:
        """`role` names this process, `peers` the others; a role that is taken is tried again at each wait."""
        self._name = _address(folder, role)
        self._all = [self._name, *(_address(folder, peer) for peer in peers if peer != role)]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._bound = False
        self._nudges: dict[str, int] = {}  # by topic, of those that somebody has waited for
        self._any_nudges = 0  # that may have been about any topic
        self._seen: WeakKeyDictionary[asyncio.Task[object], dict[str, int]] = WeakKeyDictionary()
        self._waiters: dict[asyncio.Future[None], frozenset[str]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bind()

    def notify(self, topic: str) -> None:
        for name in self._all:
            try:
                self._socket.sendto(topic.encode(), name)
            except OSError:
                # Nobody there, or its box is full and it wakes up anyway.
                continue

    async def wait(self, topics: frozenset[str], timeout_s: float) -> None:
        for topic in topics:
            self._nudges.setdefault(topic, 0)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        # Before the box is emptied: what is in it when a task first waits concerns that task, too.
        seen = self._seen.setdefault(task, {})
        for topic in topics:
            seen.setdefault(topic, self._count(topic))
        self._listen()
        self._receive()
        if all(self._count(topic) == seen[topic] for topic in topics):
            await self._wait(topics, timeout_s)
        seen.update({topic: self._count(topic) for topic in topics})

    def close(self) -> None:
        """Stop listening; who waits goes on waiting until its time is over."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
        self._socket.close()

    async def _wait(self, topics: frozenset[str], timeout_s: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._waiters[woken] = topics
        try:
            await asyncio.wait({woken}, timeout=timeout_s)
        finally:
            del self._waiters[woken]

    def _bind(self) -> None:
        try:
            self._socket.bind(self._name)
            self._bound = True
        except OSError:
            # The process before this one has not quite gone: until then the polling interval does.
            self._bound = False

    def _listen(self) -> None:
        if not self._bound:
            self._bind()
        if self._bound and self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._socket, self._receive)

    def _receive(self) -> None:
        """Take what came and wake up those whom it concerns."""
        topics = self._waiting_topics()
        if len(topics) >= CROWDED:
            self._any_nudges += 1
        for topic in set(topics) & self._nudges.keys():
            self._nudges[topic] += 1
        for woken, wanted in self._waiters.items():
            concerned = len(topics) >= CROWDED or not wanted.isdisjoint(topics)
            if concerned and not woken.done():
                woken.set_result(None)

    def _waiting_topics(self) -> list[str]:
        topics: list[str] = []
        while self._bound and len(topics) < 100 * CROWDED:
            try:
                topics.append(self._socket.recv(LONGEST_TOPIC).decode(errors="replace"))
            except OSError:
                break
        return topics

    def _count(self, topic: str) -> int:
        return self._nudges[topic] + self._any_nudges


def _address(folder: Path, role: str) -> str:
    """A name in the abstract namespace, known to the processes on this folder."""
    digest = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:32]
    return f"\0acervo-{digest}-{role}"
