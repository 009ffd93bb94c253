"""Connections to Redis: those that answer at once, and those that wait.

redis-py repeats a call ten times and gives up on any read after five seconds, unless told otherwise: a blocking read
on such a client fails after a minute. So reads that block have a client of their own.
"""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

COMMAND_S = 1.0  # a command that takes longer has failed
BLOCK_S = 1.0  # a blocking read returns at least so often
SILENCE_S = 5.0  # a connection on which nothing comes is asked for a sign of life so often


def command_client(url: str) -> Redis:
    """For commands that answer at once. Repeated once: the connection may have died since it was last used."""
    return Redis.from_url(
        url, socket_timeout=COMMAND_S, socket_connect_timeout=COMMAND_S, retry=Retry(NoBackoff(), 1), max_connections=8
    )


def waiting_client(url: str) -> Redis:
    """For reads that block up to BLOCK_S, and for subscriptions. Nothing is repeated: who waits begins anew himself."""
    return Redis.from_url(
        url,
        socket_timeout=BLOCK_S + SILENCE_S,
        socket_connect_timeout=COMMAND_S,
        retry=Retry(NoBackoff(), 0),
        max_connections=8,
    )
