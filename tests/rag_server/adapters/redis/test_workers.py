"""Workers on other machines, as they are heard of through Redis."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from rag_server.adapters.redis.workers import Announcing, RedisWorkers
from rag_server.domain.health import WorkerState
from tests.servers.redis import RedisServer

ONE, OTHER = WorkerState("machine-a-slot-1", 7, "seccomp"), WorkerState("machine-b-slot-1", 7, "")
DEADLINE_S = 30.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_workers_of_all_machines_are_heard_of(redis_server: RedisServer, tmp_path: Path) -> None:
    url, name = redis_server.url, tmp_path.name
    async with (
        RedisWorkers(url, name) as heard,
        Announcing(url, name, lambda: [OTHER]),
        Announcing(url, name, lambda: [ONE]),
    ):
        await until(lambda: heard.present() == [ONE, OTHER])


async def test_what_a_worker_says_of_itself_later_counts(redis_server: RedisServer, tmp_path: Path) -> None:
    said = [WorkerState(ONE.slot)]

    def here() -> Sequence[WorkerState]:
        return said

    async with (
        RedisWorkers(redis_server.url, tmp_path.name) as heard,
        Announcing(redis_server.url, tmp_path.name, here),
    ):
        await until(lambda: heard.present() == [WorkerState(ONE.slot)])
        said[0] = ONE
        await until(lambda: heard.present() == [ONE])


async def test_a_worker_that_is_not_heard_of_any_more_is_forgotten(redis_server: RedisServer, tmp_path: Path) -> None:
    async with RedisWorkers(redis_server.url, tmp_path.name) as heard:
        async with Announcing(redis_server.url, tmp_path.name, lambda: [ONE]):
            await until(lambda: heard.present() == [ONE])
        await until(lambda: heard.present() == [])


async def test_after_a_restart_of_redis_workers_are_heard_of_again(own_redis_server: RedisServer) -> None:
    url = own_redis_server.url
    async with RedisWorkers(url, "holding") as heard, Announcing(url, "holding", lambda: [ONE]):
        assert heard.present() == []
        await asyncio.to_thread(own_redis_server.start)
        await until(lambda: heard.present() == [ONE])


async def test_what_another_release_says_is_passed_over(redis_server: RedisServer, tmp_path: Path) -> None:
    url, name = redis_server.url, tmp_path.name
    async with RedisWorkers(url, name) as heard, Announcing(url, name, lambda: [ONE]):
        await until(lambda: heard.present() == [ONE])
        for said in ("no-json", '[{"unknown":1}]', "7"):
            assert redis_server.say(f"PUBLISH acervo:{name}:workers '{said}'").startswith(":")
        await until(lambda: heard.present() == [ONE])
        assert all(not task.done() for task in heard._tasks)
