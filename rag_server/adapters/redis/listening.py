"""Nudges that all processes hear: publish and subscribe."""

import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.exceptions import ConnectionError as ConnectionLost

from rag_server.adapters.redis.clients import SILENCE_S

TOPICS = ("jobs", "changes", "cancel")


class Listening:
    """The channels of one holding, one for each topic. What this process says itself it need not hear."""

    def __init__(self, waiting: Redis, prefix: str, name: str) -> None:
        """`name` tells this process from all others."""
        self._waiting = waiting
        self._prefix = prefix
        self._name = name.encode()

    def add(self, pipeline: Pipeline, topic: str) -> None:
        """Add a nudge to what the pipeline is to send."""
        pipeline.publish(f"{self._prefix}:{topic}", self._name)

    async def listen(self, hear: Callable[[str], None], begun: Callable[[], None]) -> None:
        """Tell `hear` each topic that comes, until the connection breaks. Raises RedisError, OSError.

        What was said before is unknown: so first of all everybody is told to look, by an empty topic.
        """
        topics = {f"{self._prefix}:{topic}".encode(): topic for topic in TOPICS}
        async with self._waiting.pubsub() as channels:
            await channels.subscribe(*topics)
            await until_subscribed(channels, len(topics))
            hear("")
            begun()
            while True:
                message = await next_message(channels)
                if message["type"] == "message" and message["data"] != self._name:
                    hear(topics[message["channel"]])


async def until_subscribed(channels: PubSub, missing: int) -> None:
    """Return when what is said on so many channels is heard from now on. Raises RedisError, OSError."""
    while missing:
        missing -= (await next_message(channels))["type"] == "subscribe"


async def next_message(channels: PubSub) -> dict[str, Any]:
    """The next message. Silence is broken by asking: a machine that went away says nothing. Raises ConnectionLost."""
    for _ in range(2):
        until_s = time.monotonic() + SILENCE_S
        while (left_s := until_s - time.monotonic()) > 0:
            message: dict[str, Any] | None = await channels.get_message(timeout=left_s)
            if message is not None:
                return message
        await channels.ping()
    raise ConnectionLost("no sign of life")
