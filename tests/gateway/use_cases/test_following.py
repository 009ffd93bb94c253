"""Following a job through silence, restarts and the gateway's own end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from gateway.domain.entry import Entry, Origin
from gateway.domain.errors import NotReady, RagServerUnavailable
from gateway.domain.snapshot import Snapshot
from gateway.domain.upload import Upload
from gateway.use_cases.following import Following
from gateway.use_cases.nudge import Nudge
from storage.blobs import Blob
from tests.fakes.outbox import MemoryOutbox


@dataclass(slots=True)
class ScriptedFeed:
    """Each connection tells its snapshots (revision, ended), then breaks; after the last one it hangs."""

    connections: list[list[tuple[int, bool]]]
    asked: list[int | None] = field(default_factory=list)

    async def watch(self, job_id: str, after_revision: int | None) -> AsyncGenerator[Snapshot[str]]:
        self.asked.append(after_revision)
        if not self.connections:
            raise RagServerUnavailable
        for revision, ended in self.connections.pop(0):
            yield Snapshot(revision, ended, job_id)
        if not self.connections:
            await asyncio.Event().wait()
        raise RagServerUnavailable

    async def look(self, job_id: str, wait_s: float) -> Snapshot[str]:
        """What the next connection would tell last; where that is no end, once the time is over."""
        if not self.connections:
            raise RagServerUnavailable
        revision, ended = self.connections.pop(0)[-1]
        if not ended:
            await asyncio.sleep(wait_s)
        return Snapshot(revision, ended, job_id)

    async def reachable(self) -> None:
        return


def entry() -> Entry:
    return Entry("job", Upload("a", "a"), Blob("0" * 64, 1), Origin("", ""), 0.0, 0.0)


def following(
    feed: ScriptedFeed, outbox: MemoryOutbox | None = None, changed: Nudge | None = None, beat_s: float = 10.0
) -> Following[str]:
    return Following(
        outbox or MemoryOutbox(),
        feed,
        lambda known: Snapshot(known.revision, known.state == "CANCELLED", "local"),
        changed or Nudge(),
        beat_s,
    )


async def revisions(follow: AsyncGenerator[Snapshot[str]], count: int = 99) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(20), aclosing(follow) as snapshots:
        async for snapshot in snapshots:
            seen.append(snapshot.revision)
            if len(seen) == count:
                break
    return seen


async def test_a_broken_connection_is_resumed_where_it_broke() -> None:
    feed = ScriptedFeed([[(1, False), (2, False)], [(3, False)], [(4, True)]])
    assert await revisions(following(feed).follow("job")) == [1, 2, 3, 4]
    assert feed.asked == [None, 2, 3]


async def test_silence_is_filled_with_what_is_known() -> None:
    feed = ScriptedFeed([[(1, False)]])
    assert await revisions(following(feed, beat_s=0.1).follow("job"), count=3) == [1, 1, 1]


async def test_without_anything_to_tell_the_fault_is_told() -> None:
    with pytest.raises(RagServerUnavailable):
        await revisions(following(ScriptedFeed([])).follow("job"))


async def test_a_revision_never_goes_back() -> None:
    outbox, changed = MemoryOutbox(), Nudge()
    await outbox.accept(entry())
    await outbox.cancel("job", 0.0)
    retried = await outbox.retry("job", 0.0)
    assert retried is not None
    follow = following(ScriptedFeed([[(1, False), (2, False), (3, True)]]), outbox, changed).follow("job")
    assert (await anext(follow)).revision == 2
    await outbox.forwarded(retried, "job", 0.0)
    changed()
    assert await revisions(follow) == [2, 3]


async def test_an_end_is_told_whatever_was_seen() -> None:
    outbox = MemoryOutbox()
    await outbox.accept(entry())
    await outbox.cancel("job", 0.0)
    assert await revisions(following(ScriptedFeed([]), outbox).follow("job", after_revision=7)) == [1]


async def test_what_waits_here_is_told_again_and_again() -> None:
    outbox = MemoryOutbox()
    await outbox.accept(entry())
    assert await revisions(following(ScriptedFeed([]), outbox, beat_s=0.1).follow("job"), count=3) == [0, 0, 0]


async def test_a_job_that_the_rag_server_knows_by_another_name_is_followed_under_it() -> None:
    outbox = MemoryOutbox()
    accepted = await outbox.accept(entry())
    await outbox.forwarded(accepted, "known", 0.0)
    follow = following(ScriptedFeed([[(1, True)]]), outbox).follow("job")
    assert (await anext(follow)).content == "known"
    await follow.aclose()


async def test_streams_end_with_the_gateway() -> None:
    watched = following(ScriptedFeed([[(1, False)]]))
    follow = watched.follow("job")
    await anext(follow)
    watched.stop()
    with pytest.raises(NotReady):
        await revisions(follow)


async def test_who_waits_for_the_end_hears_of_it_from_whoever_speaks_of_the_job() -> None:
    outbox, changed = MemoryOutbox(), Nudge()
    accepted = await outbox.accept(entry())
    feed = ScriptedFeed([[(4, True)]])
    waiting = asyncio.create_task(following(feed, outbox, changed).until_ended("job", 20.0))
    await asyncio.sleep(0)
    await outbox.forwarded(accepted, "known", 0.0)
    changed("job")
    assert await waiting == Snapshot(4, True, "known")


async def test_a_wait_for_the_end_is_over_in_time() -> None:
    snapshot = await following(ScriptedFeed([[(1, False)]])).until_ended("job", 0.05)
    assert (snapshot.revision, snapshot.ended) == (1, False)


async def test_a_wait_for_the_end_of_what_is_still_here_is_over_in_time() -> None:
    outbox = MemoryOutbox()
    await outbox.accept(entry())
    assert (await following(ScriptedFeed([]), outbox).until_ended("job", 0.05)).content == "local"


async def test_a_wait_for_the_end_ends_with_the_gateway() -> None:
    watched = following(ScriptedFeed([[(1, False)]]))
    waiting = asyncio.create_task(watched.until_ended("job", 20.0))
    await asyncio.sleep(0)
    watched.stop()
    with pytest.raises(NotReady):
        await waiting
