"""Nudges through a Redis that is shared, flushed, stopped and started again."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from rag_server.adapters.redis.wakeups import RedisWakeups
from tests.servers.redis import RedisServer

QUEUE = frozenset({"queue"})
EVENTS = frozenset({"jobs", "changes", "cancel"})
POLL_S = 1.0  # as long as the program's own waits
LONG_S = 60.0
DEADLINE_S = 30.0


@pytest.fixture
async def replicas(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[list[RedisWakeups]]:
    """Processes of one holding."""
    async with AsyncExitStack() as stack:
        opened = [RedisWakeups(redis_server.url, tmp_path.name) for _ in range(5)]
        yield [await stack.enter_async_context(wakeups) for wakeups in opened]


async def until_heard(speaker: RedisWakeups, listener: RedisWakeups, topic: str) -> None:
    """Say it again and again until the other hears it: connections take a while to come back."""

    async def say() -> None:
        while True:
            speaker.notify(topic)
            await asyncio.sleep(0.05)

    saying = asyncio.create_task(say())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await listener.wait(frozenset({topic}), LONG_S)
    finally:
        saying.cancel()


async def waits_in_turn(wakeups: RedisWakeups, topics: frozenset[str]) -> None:
    """Two waits, as a worker or a stream of events has them; each ends by itself, whatever happens to Redis."""
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(2):
            await wakeups.wait(topics, POLL_S)


async def test_one_nudge_wakes_one_of_many_workers(replicas: list[RedisWakeups]) -> None:
    serve, *workers = replicas
    waiting = {asyncio.create_task(worker.wait(QUEUE, LONG_S)) for worker in workers}
    for left in (4, 3, 2, 1):
        serve.notify("queue")
        done, waiting = await asyncio.wait(waiting, timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
        assert (len(done), len(waiting)) == (1, left - 1)
        if waiting:
            assert not (await asyncio.wait(waiting, timeout=0.2, return_when=asyncio.FIRST_COMPLETED))[0]


async def test_events_are_heard_by_all_replicas(replicas: list[RedisWakeups]) -> None:
    waiting = {asyncio.create_task(replica.wait(frozenset({"changes"}), LONG_S)) for replica in replicas}
    await asyncio.sleep(0)
    replicas[0].notify("changes")
    assert not (await asyncio.wait(waiting, timeout=DEADLINE_S))[1]


async def test_who_waits_no_longer_leaves_the_nudge_to_another_worker(replicas: list[RedisWakeups]) -> None:
    serve, busy, idle = replicas[:3]
    await busy.wait(QUEUE, 0.05)  # reads on for a moment after the wait is over
    serve.notify("queue")
    async with asyncio.timeout(DEADLINE_S):
        await idle.wait(QUEUE, LONG_S)


async def test_holdings_on_one_redis_do_not_hear_each_other(redis_server: RedisServer, tmp_path: Path) -> None:
    names = (f"{tmp_path.name}-a", f"{tmp_path.name}-b")
    async with RedisWakeups(redis_server.url, names[0]) as one, RedisWakeups(redis_server.url, names[1]) as other:
        waiting = asyncio.create_task(other.wait(QUEUE | EVENTS, LONG_S))
        for topic in QUEUE | EVENTS:
            one.notify(topic)
        assert not (await asyncio.wait({waiting}, timeout=0.3))[0]
        waiting.cancel()


async def test_the_stream_keeps_no_more_than_is_of_use(redis_server: RedisServer, tmp_path: Path) -> None:
    async with RedisWakeups(redis_server.url, tmp_path.name) as serve:
        for _ in range(3):
            for _ in range(500):
                serve.notify("queue")
            await asyncio.sleep(0.05)
        assert redis_server.say(f"XLEN acervo:{tmp_path.name}:queue") == ":100\r\n"


async def test_a_nudge_may_come_from_any_thread_and_at_any_time(redis_server: RedisServer, tmp_path: Path) -> None:
    url = redis_server.url
    async with RedisWakeups(url, tmp_path.name) as serve, RedisWakeups(url, tmp_path.name) as work:
        waiting = asyncio.create_task(work.wait(frozenset({"cancel"}), LONG_S))
        await asyncio.sleep(0)
        thread = threading.Thread(target=serve.notify, args=["cancel"])
        thread.start()
        thread.join()
        assert (await asyncio.wait({waiting}, timeout=DEADLINE_S))[0]
    serve.notify("cancel")  # after the end, too
    RedisWakeups(url, tmp_path.name).notify("cancel")  # and before the beginning


async def test_everything_flushed_costs_at_most_a_polling_interval(
    replicas: list[RedisWakeups], redis_server: RedisServer
) -> None:
    serve, worker = replicas[:2]
    await until_heard(serve, worker, "queue")
    waits = [asyncio.create_task(waits_in_turn(worker, topics)) for topics in (QUEUE, EVENTS)]
    await asyncio.sleep(0)
    assert redis_server.say("FLUSHALL") == "+OK\r\n"
    await asyncio.gather(*waits)
    for topic in QUEUE | EVENTS:
        await until_heard(serve, worker, topic)


async def test_a_nudge_right_after_everything_was_flushed_is_heard(
    replicas: list[RedisWakeups], redis_server: RedisServer
) -> None:
    serve, worker = replicas[:2]
    await until_heard(serve, worker, "queue")
    assert redis_server.say("FLUSHALL") == "+OK\r\n"
    serve.notify("queue")
    async with asyncio.timeout(DEADLINE_S):
        await worker.wait(QUEUE, LONG_S)


async def test_a_stopped_redis_costs_at_most_a_polling_interval_and_is_heard_again(
    own_redis_server: RedisServer,
) -> None:
    own_redis_server.start()
    url = own_redis_server.url
    async with RedisWakeups(url, "holding") as serve, RedisWakeups(url, "holding") as worker:
        await until_heard(serve, worker, "queue")
        waits = [asyncio.create_task(waits_in_turn(worker, topics)) for topics in (QUEUE, EVENTS)]
        await asyncio.sleep(0)
        await asyncio.to_thread(own_redis_server.stop)
        for topic in QUEUE | EVENTS:
            serve.notify(topic)
        await asyncio.gather(*waits)
        await asyncio.to_thread(own_redis_server.start)
        for topic in sorted(QUEUE | EVENTS):
            await until_heard(serve, worker, topic)


async def test_a_redis_that_is_not_there_yet_is_found_later(own_redis_server: RedisServer) -> None:
    url = own_redis_server.url
    async with RedisWakeups(url, "holding") as serve, RedisWakeups(url, "holding") as worker:
        serve.notify("queue")
        await waits_in_turn(worker, QUEUE | EVENTS)
        await asyncio.to_thread(own_redis_server.start)
        await until_heard(serve, worker, "changes")
        await until_heard(serve, worker, "queue")


async def test_without_redis_a_nudge_still_reaches_its_own_process(own_redis_server: RedisServer) -> None:
    async with RedisWakeups(own_redis_server.url, "holding") as serve:
        waiting = asyncio.create_task(serve.wait(frozenset({"jobs"}), LONG_S))
        await asyncio.sleep(0)
        serve.notify("jobs")
        assert (await asyncio.wait({waiting}, timeout=DEADLINE_S))[0]


async def test_those_who_may_have_missed_something_look_when_redis_is_back(own_redis_server: RedisServer) -> None:
    async with RedisWakeups(own_redis_server.url, "holding") as worker:
        waiting = asyncio.create_task(worker.wait(QUEUE, LONG_S))
        await asyncio.sleep(0)
        await asyncio.to_thread(own_redis_server.start)
        assert (await asyncio.wait({waiting}, timeout=DEADLINE_S))[0]
