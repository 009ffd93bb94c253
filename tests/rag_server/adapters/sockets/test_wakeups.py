import asyncio
from pathlib import Path

from rag_server.adapters.sockets.wakeups import SocketWakeups

QUEUE = frozenset({"queue"})
LONG_S = 60.0


async def test_nobody_there_is_no_error(tmp_path: Path) -> None:
    alone = SocketWakeups(tmp_path, "serve", ["work"])
    alone.notify("queue")
    alone.close()
    alone.notify("queue")


async def test_what_came_before_the_first_wait_is_not_lost(tmp_path: Path) -> None:
    serve, work = SocketWakeups(tmp_path, "serve", ["work"]), SocketWakeups(tmp_path, "work", ["serve"])
    serve.notify("queue")
    await asyncio.wait_for(work.wait(QUEUE, LONG_S), 10.0)
    serve.close()
    work.close()


async def test_folders_do_not_hear_each_other(tmp_path: Path) -> None:
    here, there = SocketWakeups(tmp_path / "a", "work", []), SocketWakeups(tmp_path / "b", "serve", ["work"])
    waiting = asyncio.create_task(here.wait(QUEUE, LONG_S))
    await asyncio.sleep(0)
    there.notify("queue")
    assert (await asyncio.wait({waiting}, timeout=0.05))[1] == {waiting}
    waiting.cancel()
    here.close()
    there.close()


async def test_a_role_that_was_taken_is_heard_once_it_is_free(tmp_path: Path) -> None:
    before = SocketWakeups(tmp_path, "work", [])
    after = SocketWakeups(tmp_path, "work", [])
    serve = SocketWakeups(tmp_path, "serve", ["work"])
    await after.wait(QUEUE, 0.0)
    before.close()
    waiting = asyncio.create_task(after.wait(QUEUE, LONG_S))
    await asyncio.sleep(0)
    serve.notify("queue")
    await asyncio.wait_for(waiting, 10.0)
    after.close()
    serve.close()


async def test_a_nudge_may_come_from_any_thread(tmp_path: Path) -> None:
    serve = SocketWakeups(tmp_path, "serve", ["work"])
    waiting = asyncio.create_task(serve.wait(frozenset({"changes"}), LONG_S))
    await asyncio.sleep(0)
    await asyncio.to_thread(serve.notify, "changes")
    await asyncio.wait_for(waiting, 10.0)
    serve.close()
