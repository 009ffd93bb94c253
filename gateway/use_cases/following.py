"""Following a job from the outbox into the rag_server, through its restarts, in one stream of snapshots."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from gateway.domain.entry import Entry
from gateway.domain.errors import NotReady, RagServerUnavailable
from gateway.domain.snapshot import Snapshot
from gateway.ports import Outbox, RagServerFeed
from gateway.use_cases.nudge import Nudge

T = TypeVar("T")
BEAT_S = 10.0  # promised: the snapshot again at least this often
POLL_S = 2.0  # a lost nudge costs so much
AGAIN_S = 0.3
LOOK_S = 20.0  # a question to the rag_server waits so long for the end of a job


class Following(Generic[T]):
    """Tells the life of jobs. `present` makes of an entry what clients are shown."""

    def __init__(
        self,
        outbox: Outbox,
        rag_server: RagServerFeed[T],
        present: Callable[[Entry], Snapshot[T]],
        changed: Nudge,
        beat_s: float = BEAT_S,
    ) -> None:
        """`beat_s` is how long a stream may be silent."""
        self._outbox = outbox
        self._rag_server = rag_server
        self._present = present
        self._changed = changed
        self._beat_s = beat_s
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all streams: their clients go on elsewhere, or here when it is back."""
        self._stopping.set()

    async def follow(self, job_id: str, after_revision: int | None = None) -> AsyncGenerator[Snapshot[T]]:
        """Snapshots whose revision never goes back; an ended one is the last.

        Raises RagServerUnavailable only where nothing could be told yet, NotReady when the gateway stops.
        """
        last: Snapshot[T] | None = None
        revision = -1 if after_revision is None else after_revision
        async with aclosing(
            _beating(self._snapshots(job_id, after_revision), self._stopping, self._beat_s)
        ) as snapshots:
            async for snapshot in snapshots:
                if snapshot is not None and (snapshot.ended or snapshot.revision >= revision):
                    last, revision = snapshot, snapshot.revision
                elif snapshot is not None:
                    continue  # the rag_server counts anew what was counted here
                if last is not None:
                    yield last
                    if last.ended:
                        return

    async def until_ended(self, job_id: str, wait_s: float) -> Snapshot[T]:
        """The first ended snapshot, or the latest when the time is over. Raises as `follow`."""
        looking = asyncio.create_task(self._look_until_ended(job_id, time.monotonic() + wait_s), name="look")
        stop = asyncio.create_task(self._stopping.wait(), name="stopping")
        try:
            await asyncio.wait({looking, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                raise NotReady
            return looking.result()
        finally:
            for task in (looking, stop):
                task.cancel()
            await asyncio.wait({looking, stop})

    async def _look_until_ended(self, job_id: str, end_s: float) -> Snapshot[T]:
        """As `until_ended`. One question after another costs less than a stream of all that happens in between."""
        last: Snapshot[T] | None = None
        ticket = self._changed.ticket(job_id)
        while (entry := await self._outbox.get(job_id)) is not None and entry.is_local:
            last = self._present(entry)
            left_s = end_s - time.monotonic()
            if last.ended or left_s <= 0:
                return last
            await self._changed.wait(ticket, min(POLL_S, left_s))
            ticket = self._changed.ticket(job_id)
        known_as = entry.known_as or job_id if entry is not None else job_id
        while (left_s := end_s - time.monotonic()) > 0 or last is None:
            begun_s, wait_s = time.monotonic(), max(0.0, min(left_s, LOOK_S))
            try:
                last = await self._rag_server.look(known_as, wait_s)
            except RagServerUnavailable:
                if last is None:
                    raise
            if last.ended:
                break
            if time.monotonic() - begun_s < wait_s:  # it stops, or cannot be reached
                await asyncio.sleep(AGAIN_S * (0.5 + random.random() / 2))  # noqa: S311 - spreads load, guards nothing
        return last

    async def _snapshots(self, job_id: str, after_revision: int | None) -> AsyncGenerator[Snapshot[T]]:
        told = False
        async with aclosing(self._from_outbox(job_id, after_revision)) as snapshots:
            async for snapshot in snapshots:
                told = True
                yield snapshot
        async with aclosing(self._from_rag_server(job_id, None if told else after_revision, told=told)) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def _from_outbox(self, job_id: str, after_revision: int | None) -> AsyncGenerator[Snapshot[T]]:
        """What the gateway itself has to tell, until the rag_server has the job."""
        seen = -1 if after_revision is None else after_revision
        told_s = time.monotonic()
        ticket = self._changed.ticket(job_id)
        while (entry := await self._outbox.get(job_id)) is not None and entry.is_local:
            snapshot = self._present(entry)
            if snapshot.revision > seen or snapshot.ended or time.monotonic() - told_s >= self._beat_s * 0.9:
                yield snapshot
                seen, told_s = snapshot.revision, time.monotonic()
            if snapshot.ended:
                return
            await self._changed.wait(ticket, min(POLL_S, self._beat_s / 10))
            ticket = self._changed.ticket(job_id)

    async def _from_rag_server(
        self, job_id: str, after_revision: int | None, *, told: bool
    ) -> AsyncGenerator[Snapshot[T]]:
        """What the rag_server tells, connection after connection, until the job has ended."""
        entry = await self._outbox.get(job_id)
        known_as = entry.known_as if entry is not None and entry.known_as else job_id
        while True:
            try:
                async with aclosing(self._rag_server.watch(known_as, after_revision)) as snapshots:
                    async for snapshot in snapshots:
                        told, after_revision = True, snapshot.revision
                        yield snapshot
                        if snapshot.ended:
                            return
            except RagServerUnavailable:
                if not told:
                    raise
            await self._rag_server.reachable()
            await asyncio.sleep(AGAIN_S * (0.5 + random.random() / 2))  # noqa: S311 - spreads load, guards nothing


async def _beating(
    source: AsyncGenerator[Snapshot[T]], stopping: asyncio.Event, beat_s: float
) -> AsyncGenerator[Snapshot[T] | None]:
    """What the source yields, and None whenever it is silent for so long. Raises NotReady when the gateway stops."""
    stop = asyncio.create_task(stopping.wait(), name="stopping")
    pending: asyncio.Task[Snapshot[T] | None] | None = None
    try:
        while True:
            # A task of its own: to cancel the wait for a message would cancel the call that it comes from.
            pending = pending or asyncio.create_task(_next(source), name="snapshot")
            done, _ = await asyncio.wait({pending, stop}, timeout=beat_s, return_when=asyncio.FIRST_COMPLETED)
            if pending in done:
                snapshot = pending.result()
                pending = None
                if snapshot is None:
                    return
                yield snapshot
            elif done:
                raise NotReady
            else:
                yield None
    finally:
        stop.cancel()
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
        await source.aclose()


async def _next(source: AsyncGenerator[Snapshot[T]]) -> Snapshot[T] | None:
    return await anext(source, None)
