"""A compressed segment, and which of its rows still count here."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.block import Found
from rag_server.adapters.faiss.segment import Segment, open_segment
from rag_server.adapters.faiss.segment_file import SegmentDamaged
from rag_server.domain.segment import LivingRows
from rag_server.domain.version_set import VersionSet
from rag_server.index_ports import SegmentUnusable

# What is held in memory for each row beside the file: the mask, and the bit that searches are given.
MASK_BYTES = 1 + 1 / 8


@dataclass(frozen=True, slots=True, eq=False)
class LivingSegment:
    """One state of a segment; it is searched as a block is. The name is the SHA-256 of its file."""

    name: str
    segment: Segment
    alive: NDArray[np.bool_]  # (n,)
    bits: NDArray[np.uint8]  # the same, one bit per row, lowest first
    living: int

    @staticmethod
    def of(name: str, segment: Segment, alive: NDArray[np.bool_]) -> "LivingSegment":
        """With these rows alive."""
        return LivingSegment(name, segment, alive, np.packbits(alive, bitorder="little"), int(np.count_nonzero(alive)))

    @property
    def chunk_ids(self) -> NDArray[np.int64]:
        """(n,) of all rows."""
        return self.segment.chunk_ids

    @property
    def versions(self) -> NDArray[np.int64]:
        """(n,) of all rows."""
        return self.segment.versions

    @property
    def counts(self) -> LivingRows:
        """How many rows there are, and how many count."""
        return LivingRows(self.segment.row_count, self.living)

    @property
    def size_bytes(self) -> int:
        """The file, which is mapped; the centroids, which are in memory once more; the masks."""
        centroids = self.segment.file.centroids.nbytes
        return self.segment.size_bytes + centroids + round(self.segment.row_count * MASK_BYTES)

    def without(self, keys: NDArray[np.int64]) -> "LivingSegment":
        """The segment without the rows of these documents (2, k); itself where it has none."""
        return self._without_rows(self.segment.rows_of_documents(keys))

    def without_chunks(self, sorted_ids: NDArray[np.int64]) -> "LivingSegment":
        """The segment without these chunks."""
        by_id = self.segment.file.by_id
        return self._without_rows(by_id[among(self.chunk_ids[by_id], sorted_ids)].astype(np.int64))

    def nearest(self, vectors: NDArray[np.float32], limit: int, within: VersionSet | None) -> list[Found]:
        """For each of the vectors (q, d) at most `limit` rows of these versions, in eight bits a number."""
        allowed = None if self.living == self.segment.row_count else self.bits
        if within is not None:
            allowed = np.packbits(self.alive & within.holds(self.versions), bitorder="little")
        hits = self.segment.nearest(vectors, limit, allowed)
        return [Found(self.chunk_ids[rows], scores) for rows, scores in hits]

    def places_of(self, chunk_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each chunk; -1 for one that is not alive here."""
        rows = self.segment.rows_of(chunk_ids)
        return np.where((rows >= 0) & self.alive[rows], rows, -1)

    def vectors_at(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """(k, d) decoded."""
        return self.segment.vectors_of(places)

    def _without_rows(self, rows: NDArray[np.int64]) -> "LivingSegment":
        dead = rows[self.alive[rows]]
        if not dead.size:
            return self
        alive, bits = self.alive.copy(), self.bits.copy()
        alive[dead] = False
        np.bitwise_and.at(bits, dead >> 3, ~(np.uint8(1) << (dead & 7).astype(np.uint8)))
        return replace(self, alive=alive, bits=bits, living=self.living - len(dead))


def among(ascending: NDArray[np.int64], sorted_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) which of some ascending ids are among others, which ascend as well."""
    if not len(sorted_ids):
        return np.zeros(len(ascending), np.bool_)
    places = np.minimum(np.searchsorted(sorted_ids, ascending), len(sorted_ids) - 1)
    same: NDArray[np.bool_] = sorted_ids[places] == ascending
    return same


def opened(path: Path, dimensions: int, sha256: str = "") -> Segment:
    """Open a segment; its bytes are held against the hash, where one is given. :raises SegmentUnusable:"""
    try:
        segment = open_segment(path)
    except (OSError, SegmentDamaged) as error:
        raise SegmentUnusable(f"{path.name}: {error!r}") from error
    if segment.file.header.dimensions != dimensions:
        raise SegmentUnusable(f"{path.name} has {segment.file.header.dimensions} dimensions instead of {dimensions}")
    if sha256 and hashlib.sha256(segment.file.mapped.data).hexdigest() != sha256:
        raise SegmentUnusable(f"{path.name} is not what its name says")
    return segment
