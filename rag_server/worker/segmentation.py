"""Building a compressed segment of a collection's vectors, in slices: documents that wait go in between."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.job import Claim
from rag_server.domain.segment import LivingRows, SegmentLimits, StoredSegment, segments_to_renew
from rag_server.ports import Blobs, Slot
from rag_server.segment_ports import (
    MAX_ROWS_AT_ONCE,
    BuildFailed,
    BuiltSegment,
    SegmentBuild,
    SegmentBuilder,
    Segments,
)
from rag_server.worker.loop import GiveWay
from rag_server.worker.progress import ProgressMeter
from serving import logs

LOG = logs.get(__name__)
LOOK_S = 0.5
SLICE_S = 2.0  # the most that documents wait for
REST_S = 10.0  # and how long a build rests then, if others still wait
KEPT_S = 600.0  # a build that nobody goes on with is given up


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What goes into the new segment, and which ones it takes the place of."""

    chunk_ids: NDArray[np.int64]  # ascending
    replaced: frozenset[int]


@dataclass(slots=True, eq=False)
class _Run:
    """A build under way; it may be paused between two claims of its job."""

    task: "asyncio.Task[tuple[BuiltSegment | None, frozenset[int]]]"
    build: SegmentBuild | None = None
    progress: tuple[int, int] = (0, 0)
    expiry: asyncio.TimerHandle | None = None  # while it is paused

    def begun(self, build: SegmentBuild) -> None:
        """It has a process now; one that was paused before is paused with it."""
        self.build = build
        if self.expiry is not None:
            build.pause()

    def resume(self) -> None:
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None
        if self.build is not None:
            self.build.resume()

    def pause(self) -> None:
        if self.build is not None:
            self.build.pause()
        self.expiry = asyncio.get_running_loop().call_later(KEPT_S, self.task.cancel)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Carries one claimed job from the store's vectors to a segment that is in use."""

    segments: Segments
    slot: Slot
    blobs: Blobs
    builder: SegmentBuilder
    limits: SegmentLimits
    _paused: dict[str, _Run] = field(default_factory=dict)  # by job

    async def carry_out(self, claim: Claim, meter: ProgressMeter) -> None:
        """Raises GiveWay, LeaseLost, BuildFailed, and what the ports raise."""
        run = self._paused.pop(claim.job.order.job_id, None)
        if run is None or run.task.cancelled():
            run = self._begun(claim.job.order.collection)
        run.resume()
        try:
            await self._slice(run, meter)
            built, replaced = run.task.result()
            await self.segments.publish(claim, built, replaced, time.time())
        except GiveWay:
            run.pause()
            self._paused[claim.job.order.job_id] = run
            raise
        finally:
            if claim.job.order.job_id not in self._paused:
                await _ended([run])

    async def close(self) -> None:
        """Give up what is paused."""
        await _ended(self._paused.values())
        self._paused.clear()

    async def _slice(self, run: _Run, meter: ProgressMeter) -> None:
        """Wait for the build to end. Raises GiveWay."""
        begun_s = time.monotonic()
        told = (0, 0)
        while not run.task.done():
            await asyncio.wait([run.task], timeout=LOOK_S)
            if run.progress != told:
                told = run.progress
                meter.chunks(*told, time.monotonic())
            worked_s = time.monotonic() - begun_s
            if not run.task.done() and worked_s >= SLICE_S and await self.slot.documents_wait(time.time()):
                raise GiveWay(time.time() + REST_S)

    def _begun(self, collection: str) -> _Run:
        async def work() -> tuple[BuiltSegment | None, frozenset[int]]:
            plan = await self._plan(collection)
            return await self._build(plan, run), plan.replaced

        run = _Run(asyncio.create_task(work(), name="segment"))
        return run

    async def _plan(self, collection: str) -> _Plan:
        living = np.concatenate([np.empty(0, np.int64), *[ids async for ids in self.segments.living(collection)]])
        living.sort()
        current = await self.segments.current(collection)
        return await asyncio.to_thread(self._divided, living, current)

    def _divided(self, living: NDArray[np.int64], current: Sequence[StoredSegment]) -> _Plan:
        """What is in segments that stay is left out. One whose file is not whole is replaced."""
        whole, held, replaced = [], [], set()
        for segment in current:
            path = self.blobs.path(segment.sha256)
            try:
                chunk_ids = self.builder.chunk_ids(path, segment.sha256)
            except BuildFailed:
                LOG.exception("a segment is replaced", segment=segment.segment_id)
                path.unlink(missing_ok=True)  # the same rows would get the same name, and the file be left as it is
                replaced.add(segment.segment_id)
            else:
                whole.append(segment)
                held.append(np.isin(living, chunk_ids))
        waiting = ~np.logical_or.reduce([np.zeros(len(living), np.bool_), *held])
        counts = [
            LivingRows(segment.row_count, int(np.count_nonzero(here)))
            for segment, here in zip(whole, held, strict=True)
        ]
        places = segments_to_renew(int(np.count_nonzero(waiting)), counts, self.limits)
        if places is None:
            return _Plan(living[:0], frozenset(replaced))
        replaced |= {whole[place].segment_id for place in places}
        taken = np.logical_or.reduce([np.zeros(len(living), np.bool_), *(held[place] for place in places)])
        # What is replaced has to be in it; of what waits, the rest goes into the next one.
        room = max(0, self.limits.max_rows - int(np.count_nonzero(taken)))
        chosen = np.concatenate([living[taken], living[waiting & ~taken][:room]])
        return _Plan(np.sort(chosen), frozenset(replaced))

    async def _build(self, plan: _Plan, run: _Run) -> BuiltSegment | None:
        if not len(plan.chunk_ids):
            return None

        def on_progress(done: int, total: int) -> None:
            run.progress = done * len(plan.chunk_ids) // max(total, 1), len(plan.chunk_ids)

        path = self.blobs.draft()
        try:
            build = await self.builder.begin(path, len(plan.chunk_ids), on_progress)
            run.begun(build)
            try:
                await self._hand_in(plan, build)
                row_count = await build.finish()
            finally:
                await build.end()
            return BuiltSegment(await asyncio.to_thread(self.blobs.take, path), row_count) if row_count else None
        finally:
            path.unlink(missing_ok=True)

    async def _hand_in(self, plan: _Plan, build: SegmentBuild) -> None:
        for start in range(0, len(plan.chunk_ids), MAX_ROWS_AT_ONCE):
            rows = await self.segments.rows(plan.chunk_ids[start : start + MAX_ROWS_AT_ONCE])
            if len(rows.chunk_ids):  # else all were deleted meanwhile
                await build.add(rows)


async def _ended(runs: Iterable[_Run]) -> None:
    tasks = [run.task for run in runs]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
