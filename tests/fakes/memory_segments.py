"""Compressed segments in memory."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import ChangeKind
from rag_server.domain.job import Claim, JobState, Order, Progress
from rag_server.domain.segment import StoredSegment
from rag_server.segment_ports import BuiltSegment, VectorRows
from tests.fakes.memory_queue import MemoryJobs
from tests.fakes.memory_store import MemoryStore, Version


@dataclass(frozen=True, slots=True)
class MemorySegments:
    store: MemoryStore

    async def ask(self, order: Order, now: float) -> bool:
        if self.store.maintenance_is_open(order.collection):
            return False
        await MemoryJobs(self.store).admit(order, now)
        return True

    async def current(self, collection: str) -> list[StoredSegment]:
        return [segment for segment in self.store.segments.values() if segment.collection == collection]

    async def living(self, collection: str) -> AsyncIterator[NDArray[np.int64]]:
        for version in self._standing():
            if version.order.collection == collection:
                yield np.array([chunk_id for chunk_id, _ in version.chunks.values()], np.int64)

    async def rows(self, chunk_ids: NDArray[np.int64]) -> VectorRows:
        wanted = set(chunk_ids.tolist())
        found = [
            (chunk_id, version.version_id, version.document.document_id, staged.vector)
            for version in self._standing()
            for chunk_id, staged in version.chunks.values()
            if chunk_id in wanted and version.document is not None
        ]
        found.sort(key=lambda row: row[0])
        return VectorRows(
            np.array([row[0] for row in found], np.int64),
            np.array([row[1] for row in found], np.int64),
            [row[2] for row in found],
            np.stack([row[3] for row in found]) if found else np.empty((0, 0), np.float32),
        )

    async def publish(self, claim: Claim, built: BuiltSegment | None, replaced: Collection[int], now: float) -> int:
        store, collection = self.store, claim.job.order.collection
        ended = store.jobs[claim.job.order.job_id]
        if ended.fence == claim.fence and ended.job.end_time == now:  # this very step, once more
            return ended.job.sequence
        record = store.claimed(claim)
        if record.job.cancel_requested:
            store.cancel(record, now)
            return 0
        for segment in await self.current(collection):
            if segment.segment_id in replaced:
                del store.segments[segment.segment_id]
        rows = sequence = 0
        if built is not None:
            rows = built.row_count
            store.last_segment_id += 1
            made = StoredSegment(store.last_segment_id, collection, built.blob.sha256, built.blob.size_bytes, rows)
            store.segments[made.segment_id] = made
            sequence = store.log(ChangeKind.SEGMENT, (collection, "", 0), now, made.segment_id)
        progress = Progress(chunks_done=rows, chunks_total=rows)
        record.change(now, JobState.SUCCEEDED, sequence=sequence, progress=progress)
        return sequence

    def _standing(self) -> list[Version]:
        return [self.store.versions[version_id] for version_id in self.store.current.values()]
