"""Which workers there are on all machines: each machine says so every two seconds, and who listens remembers it.

Nothing is stored: what is not said again is forgotten. No clock of another machine is believed.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Self

from redis.exceptions import RedisError

from rag_server.adapters.redis.clients import command_client, waiting_client
from rag_server.adapters.redis.listening import next_message, until_subscribed
from rag_server.adapters.redis.trying import again_and_again, end
from rag_server.domain.health import WorkerState

EVERY_S = 2.0
REMEMBERED_S = 8.0


class Announcing:
    """Says which workers there are on this machine, as long as the block lasts."""

    def __init__(self, url: str, store_name: str, here: Callable[[], Sequence[WorkerState]]) -> None:
        self._client = command_client(url)
        self._channel = _channel(store_name)
        self._here = here
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(again_and_again(self._announce), name="announce")]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        with suppress(RedisError, OSError):
            await self._client.aclose()

    async def _announce(self) -> None:
        states = await asyncio.to_thread(self._here)
        await self._client.publish(self._channel, json.dumps([asdict(state) for state in states]))
        await asyncio.sleep(EVERY_S)


class RedisWorkers:
    """Implements the port Workers."""

    def __init__(self, url: str, store_name: str) -> None:
        self._client = waiting_client(url)
        self._channel = _channel(store_name)
        self._heard: dict[str, tuple[WorkerState, float]] = {}  # by slot: state, when (monotonic)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(again_and_again(self._listen), name="workers")]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        with suppress(RedisError, OSError):
            await self._client.aclose()

    def present(self) -> Sequence[WorkerState]:
        limit = time.monotonic() - REMEMBERED_S
        self._heard = {slot: known for slot, known in self._heard.items() if known[1] > limit}
        return [self._heard[slot][0] for slot in sorted(self._heard)]

    async def _listen(self) -> None:
        async with self._client.pubsub() as channel:
            await channel.subscribe(self._channel)
            await until_subscribed(channel, 1)
            while True:
                message = await next_message(channel)
                if message["type"] == "message":
                    self._remember(message["data"])

    def _remember(self, said: bytes) -> None:
        with suppress(ValueError, TypeError):  # of another release
            for state in [WorkerState(**told) for told in json.loads(said)]:
                self._heard[state.slot] = (state, time.monotonic())


def _channel(store_name: str) -> str:
    return f"acervo:{store_name}:workers"
