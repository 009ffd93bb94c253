"""Work with Redis that goes on whatever becomes of Redis."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

from redis.exceptions import RedisError

from serving import logs

LOG = logs.get(__name__)
FIRST_REST_S = 0.05
LONGEST_REST_S = 1.0
CANCEL_AGAIN_S = 1.0


async def again_and_again(work: Callable[[], Awaitable[None]]) -> None:
    """Repeat the work until cancelled; after a failure with a rest that grows."""
    failures = 0
    while True:
        try:
            await work()
        except (RedisError, OSError) as error:
            failures += 1
            if failures == 1:
                LOG.warning("nudges go by polling until Redis is back", cause=type(error).__name__)
        except Exception:
            # A fault of the driver's or ours must not silence nudges for good: nobody waits for the end of this task.
            failures += 1
            LOG.exception("nudges go by polling for a moment")
        else:
            failures = 0
        if failures:
            await asyncio.sleep(_rest_s(failures))


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks and wait for their end."""
    ending = set(tasks)
    while ending:
        for task in ending:
            task.cancel()
        # Again where it was lost: a timeout inside the driver that strikes at the same moment can swallow it.
        ending = (await asyncio.wait(ending, timeout=CANCEL_AGAIN_S))[1]


def _rest_s(failures: int) -> float:
    longest = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(failures - 1, 10))
    return longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing
