"""The side of a collection's vectors that changes."""

import uuid
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.block import BLOCK_ROWS, Block, Buffer, Rows, block_of, join
from rag_server.adapters.faiss.collection import CollectionVectors, SealedBlock
from rag_server.adapters.faiss.living_segment import LivingSegment, among
from rag_server.adapters.faiss.segment import Segment

# A block with fewer living rows than this share gives them to the tail and goes.
KEPT_SHARE = 0.5


class GrowingCollection:
    """The side of a collection that changes; one thread uses it."""

    def __init__(self, state: CollectionVectors) -> None:
        self._segments = list(state.segments)
        self._sealed = list(state.sealed)
        self._buffer = Buffer(state.tail.rows)
        self._tail = replace(state.tail, rows=self._buffer.rows)

    def state(self) -> CollectionVectors | None:
        """What is there now; None where nothing is alive."""
        state = CollectionVectors(tuple(self._segments), tuple(self._sealed), self._tail)
        return state if any(part.alive.any() for part in state.parts) else None

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Let go of the chunks of these documents (2, k)."""
        self._change(lambda part: part.without(keys), lambda segment: segment.without(keys))

    def adopt(self, name: str, segment: Segment) -> None:
        """Take the rows of a segment that are alive here from where they are now; the others stay dead."""
        by_id = segment.file.by_id
        ids = segment.chunk_ids[by_id]
        alive = np.zeros(segment.row_count, np.bool_)
        for part in CollectionVectors(tuple(self._segments), tuple(self._sealed), self._tail).parts:
            alive[by_id[among(ids, np.sort(part.chunk_ids[part.alive]))]] = True
        self._change(lambda part: part.without_chunks(ids), lambda each: each.without_chunks(ids))
        if alive.any():
            self._segments.append(LivingSegment.of(name, segment, alive))

    def _change(self, of_block: Callable[[Block], Block], of_segment: Callable[[LivingSegment], LivingSegment]) -> None:
        """Take rows out of all parts. An empty segment goes, and a block that has few left gives them to the tail."""
        self._segments = [changed for segment in self._segments if (changed := of_segment(segment)).living]
        self._tail = of_block(self._tail)
        kept: list[SealedBlock] = []
        moved: list[Rows] = []
        for sealed in self._sealed:
            block = of_block(sealed.block)
            if block is sealed.block or block.alive.mean() >= KEPT_SHARE:
                kept.append(replace(sealed, block=block))
            else:
                moved.append(block.living())
        self._sealed = kept
        for rows in moved:
            self.add(rows)

    def add(self, rows: Rows) -> None:
        """Take in chunks that are not here."""
        if self._buffer.has_room_for(rows):
            alive = np.concatenate([self._tail.alive, np.ones(len(rows), np.bool_)])
            self._tail = block_of(self._buffer.extend(rows), alive)
            return
        waiting = join([self._tail.living(), rows])
        while len(waiting) >= BLOCK_ROWS:
            # A copy: a view would keep all that was waiting in memory.
            sealed = join([waiting.take(slice(BLOCK_ROWS))])
            self._sealed.append(SealedBlock(uuid.uuid4().hex, block_of(sealed)))
            waiting = waiting.take(slice(BLOCK_ROWS, None))
        self._buffer = Buffer(waiting)
        self._tail = block_of(self._buffer.rows)
