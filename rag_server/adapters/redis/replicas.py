"""What the other servers of a holding have applied of the change log: each says so whenever it has applied more.

Nothing is stored: who is silent is forgotten, and who stays behind is waited for no longer.
"""

import asyncio
import json
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from redis.exceptions import RedisError

from rag_server.adapters.redis.clients import command_client, waiting_client
from rag_server.adapters.redis.listening import next_message, until_subscribed
from rag_server.adapters.redis.trying import again_and_again, end

EVERY_S = 1.0  # it is said again at least so often
REMEMBERED_S = 4.0
LATE_S = 4.0  # who has applied nothing for so long, although there is more, is not waited for
GONE = -1


@dataclass(slots=True)
class _Heard:
    """What one replica said, by the clock of this process."""

    applied: int
    heard_s: float
    moved_s: float  # when it had last applied more than before


class RedisReplicas:
    """Implements the port Replicas."""

    def __init__(self, url: str, store_name: str) -> None:
        self._saying, self._waiting = command_client(url), waiting_client(url)
        self._channel = f"acervo:{store_name}:applied"
        self._name = secrets.token_hex(8)
        self._applied: int | None = None  # None until this server serves
        self._others: dict[str, _Heard] = {}
        self._told, self._moved = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        works = {"applied": self._say, "heard": self._listen}
        self._tasks = [asyncio.create_task(again_and_again(work), name=name) for name, work in works.items()]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        with suppress(RedisError, OSError):
            if self._applied is not None:
                await self._publish(GONE)
        for client in (self._saying, self._waiting):
            with suppress(RedisError, OSError):
                await client.aclose()

    def tell(self, applied: int) -> None:
        self._applied = applied
        self._told.set()

    def least(self, own: int) -> int:
        now_s = time.monotonic()
        self._others = {name: one for name, one in self._others.items() if one.heard_s > now_s - REMEMBERED_S}
        waited_for = (one.applied for one in self._others.values() if one.moved_s > now_s - LATE_S)
        return min((own, *waited_for))

    async def moved(self, timeout_s: float) -> None:
        self._moved.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._moved.wait()

    async def _say(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await self._told.wait()
        self._told.clear()
        if self._applied is not None:
            await self._publish(self._applied)

    async def _publish(self, applied: int) -> None:
        await self._saying.publish(self._channel, json.dumps([self._name, applied]))

    async def _listen(self) -> None:
        async with self._waiting.pubsub() as channel:
            await channel.subscribe(self._channel)
            await until_subscribed(channel, 1)
            while True:
                message = await next_message(channel)
                if message["type"] == "message":
                    self._hear(message["data"])

    def _hear(self, said: bytes) -> None:
        try:
            name, applied = json.loads(said)
        except (ValueError, TypeError):  # of another release
            return
        now_s = time.monotonic()
        if applied == GONE:
            self._others.pop(name, None)
        elif name != self._name:
            former = self._others.get(name)
            # One that is level starts to be late when there is more to apply.
            is_moving = former is None or applied > former.applied or applied >= (self._applied or 0)
            moved_s = now_s if is_moving or former is None else former.moved_s
            self._others[name] = _Heard(applied, now_s, moved_s)
        self._moved.set()
