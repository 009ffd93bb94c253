"""The vectors of one collection: sealed blocks and a tail; how they are searched, and how they grow."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.block import BLOCK_ROWS, Block, Buffer, Rows, block_of, join
from rag_server.domain.ranking import NOTHING, Scored, ranked

# A block with fewer living rows than this share gives them to the tail and goes.
KEPT_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SealedBlock:
    """A block that gets no more rows. The name is that of its file in every snapshot."""

    name: str
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class CollectionVectors:
    """One state of a collection."""

    sealed: tuple[SealedBlock, ...]
    tail: Block

    @property
    def blocks(self) -> list[Block]:
        """All of them, the tail last."""
        return [*(sealed.block for sealed in self.sealed), self.tail]

    def search(self, vector: NDArray[np.float32], limit: int) -> Scored:
        """The nearest rows of all blocks: exact."""
        found = [block.nearest(vector, limit) for block in self.blocks if len(block.rows)]
        if not found:
            return NOTHING
        return ranked(np.concatenate([ids for ids, _ in found]), np.concatenate([scores for _, scores in found]), limit)

    def vectors_of(self, chunk_ids: NDArray[np.int64], dimensions: int) -> NDArray[np.float32]:
        """(n, d); NaN for a chunk that is not here."""
        vectors = np.full((len(chunk_ids), dimensions), np.nan, np.float32)
        for block in self.blocks:
            if len(block.rows):
                places = block.places_of(chunk_ids)
                here = places >= 0
                vectors[here] = block.rows.vectors[places[here]]
        return vectors

    def chunk_ids(self) -> NDArray[np.int64]:
        """All that are alive, in no order."""
        return np.concatenate([block.rows.chunk_ids[block.alive] for block in self.blocks])


@dataclass(frozen=True, slots=True, eq=False)
class FaissVectors:
    """Implements the port VectorIndex."""

    dimensions: int
    collections: Mapping[str, CollectionVectors]

    def search(self, collection: str, vector: NDArray[np.float32], limit: int) -> Scored:
        here = self.collections.get(collection)
        if here is None:
            return NOTHING
        # Per thread, and searches come from many: a second thread makes a single query slower.
        faiss.omp_set_num_threads(1)
        return here.search(self._checked(vector), limit)

    def scores_of(
        self, collection: str, vector: NDArray[np.float32], chunk_ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        scores: NDArray[np.float32] = self.vectors_of(collection, chunk_ids) @ self._checked(vector)
        return np.nan_to_num(scores, nan=0.0).astype(np.float64)

    def vectors_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        here = self.collections.get(collection)
        if here is None:
            return np.full((len(chunk_ids), self.dimensions), np.nan, np.float32)
        return here.vectors_of(chunk_ids, self.dimensions)

    def chunk_ids(self) -> NDArray[np.int64]:
        parts = [here.chunk_ids() for here in self.collections.values()]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def _checked(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        # faiss reads as many numbers as it is told to, whatever the array holds.
        if vector.shape != (self.dimensions,) or not np.isfinite(vector).all():
            raise ValueError(f"not a finite vector of {self.dimensions} dimensions")
        return np.ascontiguousarray(vector, np.float32)


class GrowingCollection:
    """The side of a collection that changes; one thread uses it."""

    def __init__(self, state: CollectionVectors) -> None:
        self._sealed = list(state.sealed)
        self._buffer = Buffer(state.tail.rows)
        self._tail = replace(state.tail, rows=self._buffer.rows)

    def state(self) -> CollectionVectors | None:
        """What is there now; None where nothing is alive."""
        state = CollectionVectors(tuple(self._sealed), self._tail)
        return state if any(block.alive.any() for block in state.blocks) else None

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Let go of the chunks of these documents (2, k)."""
        self._tail = self._tail.without(keys)
        kept: list[SealedBlock] = []
        moved: list[Rows] = []
        for sealed in self._sealed:
            block = sealed.block.without(keys)
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
