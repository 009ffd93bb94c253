"""The vectors of one collection: sealed blocks and a tail; how they are searched, and how they grow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.block import Block, Found
from rag_server.adapters.faiss.living_segment import LivingSegment
from rag_server.domain.ranking import NOTHING, Scored, ranked
from rag_server.domain.segment import VectorHolding
from rag_server.domain.version_set import VersionSet

# How far the decoded vector may lie from the one that went in (docs/decisions/0017: .007 on average).
SEGMENT_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class SealedBlock:
    """A block that gets no more rows. The name is that of its file in every snapshot."""

    name: str
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class CollectionVectors:
    """One state of a collection."""

    segments: tuple[LivingSegment, ...]
    sealed: tuple[SealedBlock, ...]
    tail: Block

    @property
    def blocks(self) -> list[Block]:
        """All rows that are exact, the tail last."""
        return [*(sealed.block for sealed in self.sealed), self.tail]

    @property
    def parts(self) -> list[LivingSegment | Block]:
        """Everything that has rows."""
        return [*self.segments, *(block for block in self.blocks if len(block.rows))]

    def search(self, vectors: NDArray[np.float32], limit: int, within: VersionSet | None) -> list[Scored]:
        """The rows of all parts nearest to each of the vectors; exact but for what is in segments."""
        found = [part.nearest(vectors, limit, within) for part in self.parts]
        return [_together(each, limit) for each in zip(*found, strict=True)] or [NOTHING] * len(vectors)

    def vectors_of(self, chunk_ids: NDArray[np.int64], dimensions: int) -> NDArray[np.float32]:
        """(n, d); NaN for a chunk that is not here."""
        vectors = np.full((len(chunk_ids), dimensions), np.nan, np.float32)
        for part in self.parts:
            places = part.places_of(chunk_ids)
            here = places >= 0
            if here.any():
                vectors[here] = part.vectors_at(places[here])
        return vectors

    def versions_of(self, chunk_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,); 0 for a chunk that is not here."""
        versions = np.zeros(len(chunk_ids), np.int64)
        for part in self.parts:
            places = part.places_of(chunk_ids)
            here = places >= 0
            versions[here] = part.versions[places[here]]
        return versions

    def tolerance_of(self, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,); 0 for a chunk that is exact, or not here."""
        tolerance = np.zeros(len(chunk_ids), np.float32)
        for segment in self.segments:
            tolerance[segment.places_of(chunk_ids) >= 0] = SEGMENT_TOLERANCE
        return tolerance

    def holding(self) -> VectorHolding:
        """How it is divided."""
        exact = [block for block in self.blocks if len(block.rows)]
        size_bytes = sum(block.size_bytes for block in exact) + sum(segment.size_bytes for segment in self.segments)
        rows = sum(int(np.count_nonzero(block.alive)) for block in exact)
        return VectorHolding(rows, tuple(segment.counts for segment in self.segments), size_bytes)

    def chunk_ids(self) -> NDArray[np.int64]:
        """All that are alive, in no order."""
        return np.concatenate([np.empty(0, np.int64), *(part.chunk_ids[part.alive] for part in self.parts)])


@dataclass(frozen=True, slots=True, eq=False)
class FaissVectors:
    """Implements the port VectorIndex."""

    dimensions: int
    collections: Mapping[str, CollectionVectors]

    def search(
        self, collection: str, vectors: NDArray[np.float32], limit: int, within: VersionSet | None = None
    ) -> list[Scored]:
        here = self.collections.get(collection)
        if here is None:
            return [NOTHING] * len(vectors)
        # Per thread, and searches come from many: a second thread makes a single query slower.
        faiss.omp_set_num_threads(1)
        return here.search(self._checked(vectors), limit, within)

    def scores_of(
        self, collection: str, vector: NDArray[np.float32], chunk_ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        scores: NDArray[np.float32] = self.vectors_of(collection, chunk_ids) @ self._checked(vector[np.newaxis])[0]
        return np.nan_to_num(scores, nan=0.0).astype(np.float64)

    def vectors_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        here = self.collections.get(collection)
        if here is None:
            return np.full((len(chunk_ids), self.dimensions), np.nan, np.float32)
        return here.vectors_of(chunk_ids, self.dimensions)

    def versions_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        here = self.collections.get(collection)
        return np.zeros(len(chunk_ids), np.int64) if here is None else here.versions_of(chunk_ids)

    def row_count(self, collection: str) -> int:
        here = self.collections.get(collection)
        return 0 if here is None else here.holding().rows

    def holdings(self) -> Mapping[str, VectorHolding]:
        return {name: here.holding() for name, here in self.collections.items()}

    def tolerance_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        here = self.collections.get(collection)
        return np.zeros(len(chunk_ids), np.float32) if here is None else here.tolerance_of(chunk_ids)

    def chunk_ids(self) -> NDArray[np.int64]:
        parts = [here.chunk_ids() for here in self.collections.values()]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def _checked(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        # faiss reads as many numbers as it is told to, whatever the array holds.
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions or not np.isfinite(vectors).all():  # noqa: PLR2004 - rows of numbers
            raise ValueError(f"not finite vectors of {self.dimensions} dimensions")
        return np.ascontiguousarray(vectors, np.float32)


def _together(parts: Sequence[Found], limit: int) -> Scored:
    """The best of what several blocks have."""
    chunk_ids = np.concatenate([part.chunk_ids for part in parts])
    return ranked(chunk_ids, np.concatenate([part.scores for part in parts]), limit)
