"""Nudges through Redis, for the processes of all machines on one store."""

import asyncio
import secrets
from collections import Counter
from contextlib import suppress
from typing import Self

from redis.exceptions import RedisError

from rag_server.adapters.redis.clients import COMMAND_S, command_client, waiting_client
from rag_server.adapters.redis.dispatch import TOPIC, Dispatch
from rag_server.adapters.redis.listening import Listening
from rag_server.adapters.redis.trying import again_and_again, end
from rag_server.adapters.redis.waiters import Waiters


class RedisWakeups:
    """Implements the port Wakeups. A nudge reaches the waiters of its own process at once, with or without Redis.

    The topic `queue` goes through a stream with a consumer group: one nudge wakes one process that waits. The others
    are told to all. As with every nudge, none of it is needed: rows are the truth, and who waits looks by himself.
    """

    def __init__(self, url: str, store_name: str) -> None:
        """`store_name` keeps the holdings apart that share one Redis."""
        self._commands = command_client(url)
        self._waiting = waiting_client(url)
        self._name = secrets.token_hex(8)
        prefix = f"acervo:{store_name}"
        self._waiters = Waiters()
        self._dispatch = Dispatch(self._waiting, prefix)
        self._listening = Listening(self._waiting, prefix, self._name)
        self._unsent: Counter[str] = Counter()
        self._to_send = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin to listen; where Redis is away that goes on beside what follows."""
        self._loop = asyncio.get_running_loop()
        begun = asyncio.Event()
        works = {
            "send": self._send,
            "dispatch": self._take_dispatched,
            "listen": lambda: self._listening.listen(self._waiters.wake, begun.set),
        }
        self._tasks = [
            asyncio.create_task(again_and_again(work), name=f"nudges-{name}") for name, work in works.items()
        ]
        with suppress(TimeoutError):
            await asyncio.wait_for(begun.wait(), COMMAND_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        for client in (self._commands, self._waiting):
            with suppress(RedisError, OSError):
                await client.aclose()

    def notify(self, topic: str) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended: so has everybody who could be waiting
                self._loop.call_soon_threadsafe(self._tell, topic)

    async def wait(self, topics: frozenset[str], timeout_s: float) -> None:
        await self._waiters.wait(topics, timeout_s)

    def _tell(self, topic: str) -> None:
        self._waiters.wake(topic)
        self._unsent[topic] += 1
        self._to_send.set()

    async def _send(self) -> None:
        """Send what is to be told; many nudges about one thing go as one."""
        await self._to_send.wait()
        self._to_send.clear()
        unsent, self._unsent = self._unsent, Counter()
        pipeline = self._commands.pipeline(transaction=False)
        for topic, count in unsent.items():
            if topic == TOPIC:
                self._dispatch.add(pipeline, count)
            else:
                self._listening.add(pipeline, topic)
        await pipeline.execute()

    async def _take_dispatched(self) -> None:
        """Take one nudge for this process, as soon as somebody in it waits for one."""
        await self._waiters.present(TOPIC)
        if not await self._dispatch.take():
            return
        if self._waiters.are_waiting(TOPIC):
            self._waiters.wake(TOPIC)
        else:
            # Whoever waited has found work by himself meanwhile: this one is for another process.
            self._unsent[TOPIC] += 1
            self._to_send.set()
