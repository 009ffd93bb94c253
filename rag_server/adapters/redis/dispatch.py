"""One nudge to one of the processes that wait for work: a stream with a consumer group.

All processes read as the same consumer, and reading acknowledges: Redis hands each entry to one reader, and nothing
is left behind in the name of one that died. An entry that is lost with its reader costs a polling interval.
"""

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from rag_server.adapters.redis.clients import BLOCK_S

TOPIC = "queue"
GROUP = "workers"
CONSUMER = "any"
MOST_ENTRIES = 100  # more nudges than processes that may wait are of no use


class Dispatch:
    """The stream of one holding."""

    def __init__(self, waiting: Redis, prefix: str) -> None:
        self._waiting = waiting
        self._stream = f"{prefix}:{TOPIC}"

    def add(self, pipeline: Pipeline, count: int) -> None:
        """Add nudges to what the pipeline is to send."""
        for _ in range(min(count, MOST_ENTRIES)):
            pipeline.xadd(self._stream, {"look": 1}, maxlen=MOST_ENTRIES, approximate=False)

    async def take(self) -> bool:
        """Whether a nudge for this process came within BLOCK_S. Raises RedisError, OSError."""
        try:
            entries = await self._waiting.xreadgroup(
                GROUP, CONSUMER, {self._stream: ">"}, count=1, block=int(BLOCK_S * 1_000), noack=True
            )
        except ResponseError as error:
            if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                raise
            await self._make_group()
            return False
        return bool(entries)

    async def _make_group(self) -> None:
        """At the first use, and after everything was flushed. From the first entry on: it may be nobody's yet."""
        try:
            await self._waiting.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # another process has made it meanwhile
                raise
