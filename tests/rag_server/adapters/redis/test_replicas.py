"""What other servers have applied, as it is heard of through Redis."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from rag_server.adapters.redis.replicas import RedisReplicas
from tests.servers.redis import RedisServer

DEADLINE_S = 30.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_the_one_that_is_behind_is_known_until_it_has_caught_up(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    url, name = redis_server.url, tmp_path.name
    async with RedisReplicas(url, name) as one, RedisReplicas(url, name) as other:
        assert one.least(7) == 7
        other.tell(3)
        await until(lambda: one.least(7) == 3)
        assert one.least(2) == 2
        other.tell(9)
        await until(lambda: one.least(7) == 7)
        assert other.least(9) == 9


async def test_one_that_stops_is_waited_for_no_longer(redis_server: RedisServer, tmp_path: Path) -> None:
    url, name = redis_server.url, tmp_path.name
    async with RedisReplicas(url, name) as one:
        one.tell(7)
        async with RedisReplicas(url, name) as other:
            other.tell(3)
            await until(lambda: one.least(7) == 3)
        await until(lambda: one.least(7) == 7)


async def test_one_that_does_not_get_on_is_waited_for_no_longer(redis_server: RedisServer, tmp_path: Path) -> None:
    url, name = redis_server.url, tmp_path.name
    async with RedisReplicas(url, name) as one, RedisReplicas(url, name) as other:
        one.tell(7)
        other.tell(3)
        await until(lambda: one.least(7) == 3)
        await until(lambda: one.least(7) == 7)
        other.tell(4)  # it does again
        await until(lambda: one.least(7) == 4)


async def test_who_waits_hears_that_another_has_moved(redis_server: RedisServer, tmp_path: Path) -> None:
    url, name = redis_server.url, tmp_path.name
    async with RedisReplicas(url, name) as one, RedisReplicas(url, name) as other, asyncio.timeout(DEADLINE_S):
        waiting = asyncio.create_task(one.moved(DEADLINE_S))
        await asyncio.sleep(0)
        other.tell(1)
        await waiting
