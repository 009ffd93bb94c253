"""Rows of vectors that never change, and the growing buffer that the newest of them stand in.

What is being searched is never touched: an added row goes behind the rows that any reader knows of, a deletion makes a
new block that shares the rows and has another mask.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_server.domain.version_set import VersionSet

BLOCK_ROWS = 8_192
SMALLEST_BUFFER_ROWS = 64
GATHERED_SHARE = 0.1  # so few rows are faster copied out than looked for one by one


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Chunks with their vectors, in the order in which they came."""

    vectors: NDArray[np.float32]  # (n, d)
    chunk_ids: NDArray[np.int64]  # (n,)
    versions: NDArray[np.int64]  # (n,)
    documents: NDArray[np.int64]  # (2, n): the 128 bits of `document_key`
    blank: NDArray[np.bool_]  # (n,) whether the vector is zero

    def __len__(self) -> int:
        return len(self.chunk_ids)

    def take(self, chosen: slice | NDArray[np.bool_]) -> "Rows":
        """Some of the rows: a slice shares memory with this, a mask makes copies."""
        return Rows(
            self.vectors[chosen],
            self.chunk_ids[chosen],
            self.versions[chosen],
            self.documents[:, chosen],
            self.blank[chosen],
        )


def join(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one after the other."""
    return Rows(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.chunk_ids for part in parts]),
        np.concatenate([part.versions for part in parts]),
        np.concatenate([part.documents for part in parts], axis=1),
        np.concatenate([part.blank for part in parts]),
    )


def document_key(document_id: str) -> tuple[int, int]:
    """128 bits that stand for the document in a block."""
    digest = hashlib.blake2b(document_id.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little", signed=True), int.from_bytes(digest[8:], "little", signed=True)


class Found(NamedTuple):
    """Chunks near to a vector, with their inner products."""

    chunk_ids: NDArray[np.int64]  # (k,)
    scores: NDArray[np.float32]  # (k,)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows, and which of them still count. Zero vectors are alive but are never found."""

    rows: Rows
    alive: NDArray[np.bool_]  # (n,)
    found: NDArray[np.uint8]  # one bit per row, lowest first: alive and not zero
    by_id: NDArray[np.int64]  # (n,) rows by ascending chunk id; of equal ids the newest last

    def without(self, keys: NDArray[np.int64]) -> "Block":
        """The block without the rows of these documents (2, k); itself where it has none."""
        candidates = np.flatnonzero(self.alive & np.isin(self.rows.documents[0], keys[0]))
        same = self.rows.documents[:, candidates, None] == keys[:, None, :]
        dead = candidates[same.all(axis=0).any(axis=1)]
        if not dead.size:
            return self
        alive = self.alive.copy()
        alive[dead] = False
        return replace(self, alive=alive, found=_bits(self.rows, alive))

    def without_chunks(self, sorted_ids: NDArray[np.int64]) -> "Block":
        """The block without these chunks, which ascend; itself where it has none."""
        places = np.minimum(np.searchsorted(sorted_ids, self.rows.chunk_ids), max(0, len(sorted_ids) - 1))
        dead = self.alive & (sorted_ids[places] == self.rows.chunk_ids) if len(sorted_ids) else self.alive[:0]
        if not dead.any():
            return self
        alive = self.alive & ~dead
        return replace(self, alive=alive, found=_bits(self.rows, alive))

    @property
    def chunk_ids(self) -> NDArray[np.int64]:
        """(n,) of all rows."""
        return self.rows.chunk_ids

    @property
    def versions(self) -> NDArray[np.int64]:
        """(n,) of all rows."""
        return self.rows.versions

    def vectors_at(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """(k, d)"""
        return self.rows.vectors[places]

    @property
    def size_bytes(self) -> int:
        """Of memory."""
        rows = self.rows
        arrays = (rows.vectors, rows.chunk_ids, rows.versions, rows.documents, rows.blank, self.alive, self.by_id)
        return sum(array.nbytes for array in arrays) + self.found.nbytes

    def nearest(self, vectors: NDArray[np.float32], limit: int, within: VersionSet | None) -> list[Found]:
        """For each of the vectors (q, d) at most `limit` rows of these versions, in no order."""
        if within is None:
            return self._scan(vectors, limit, self.found)
        allowed = self.alive & ~self.rows.blank & within.holds(self.rows.versions)
        places = np.flatnonzero(allowed)
        if len(places) <= len(self.rows) * GATHERED_SHARE:
            return _best(self.rows.chunk_ids[places], vectors @ self.rows.vectors[places].T, limit)
        return self._scan(vectors, limit, np.packbits(allowed, bitorder="little"))

    def _scan(self, vectors: NDArray[np.float32], limit: int, found: NDArray[np.uint8]) -> list[Found]:
        """The nearest of the rows whose bits are set. Several vectors at once read the rows once for all of them."""
        if len(vectors) == 1:
            return [self._scan_for(vectors[0], limit, found)]
        hidden = np.unpackbits(found, count=len(self.rows), bitorder="little") == 0
        scores = vectors @ self.rows.vectors.T
        scores[:, hidden] = -np.inf
        return [
            Found(one.chunk_ids[here], one.scores[here])
            for one in _best(self.rows.chunk_ids, scores, limit)
            for here in [np.isfinite(one.scores)]
        ]

    def _scan_for(self, vector: NDArray[np.float32], limit: int, found: NDArray[np.uint8]) -> Found:
        count, dimensions = self.rows.vectors.shape
        limit = min(limit, count)
        scores = np.empty(limit, np.float32)
        places = np.empty(limit, np.int64)
        faiss.knn_inner_product(
            faiss.swig_ptr(vector),
            faiss.swig_ptr(self.rows.vectors),
            dimensions,
            1,
            count,
            limit,
            faiss.swig_ptr(scores),
            faiss.swig_ptr(places),
            faiss.IDSelectorBitmap(count, faiss.swig_ptr(found)),
        )
        hits = places >= 0  # -1 where fewer rows count than were asked for
        return Found(self.rows.chunk_ids[places[hits]], scores[hits])

    def places_of(self, chunk_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each chunk; -1 for one that is not alive here."""
        places = np.searchsorted(self.rows.chunk_ids, chunk_ids, side="right", sorter=self.by_id) - 1
        rows = self.by_id[places]
        there = (places >= 0) & (self.rows.chunk_ids[rows] == chunk_ids) & self.alive[rows]
        return np.where(there, rows, -1)

    def living(self) -> Rows:
        """The rows that count, as copies."""
        return self.rows.take(self.alive)


def block_of(rows: Rows, alive: NDArray[np.bool_] | None = None) -> Block:
    """A block of these rows; all are alive unless it is said."""
    alive = np.ones(len(rows), np.bool_) if alive is None else alive
    return Block(rows, alive, _bits(rows, alive), np.argsort(rows.chunk_ids, kind="stable"))


def _best(chunk_ids: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> list[Found]:
    """The highest `limit` of each row of scores (q, n), in no order."""
    if scores.shape[1] > limit:
        best = np.argpartition(scores, -limit, axis=1)[:, -limit:]
        return [Found(chunk_ids[places], row[places]) for places, row in zip(best, scores, strict=True)]
    return [Found(chunk_ids, row) for row in scores]


def _bits(rows: Rows, alive: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(alive & ~rows.blank, bitorder="little")


class Buffer:
    """Memory that rows are added to; readers hold blocks over its first rows. Only its newest block may be extended."""

    def __init__(self, rows: Rows) -> None:
        capacity = SMALLEST_BUFFER_ROWS
        while capacity < 2 * len(rows) and capacity < BLOCK_ROWS:
            capacity *= 2
        self._rows = Rows(
            np.empty((capacity, rows.vectors.shape[1]), np.float32),
            np.empty(capacity, np.int64),
            np.empty(capacity, np.int64),
            np.empty((2, capacity), np.int64),
            np.empty(capacity, np.bool_),
        )
        self._count = 0
        self.extend(rows)

    def has_room_for(self, rows: Rows) -> bool:
        """Whether `extend` may be called."""
        return self._count + len(rows) <= len(self._rows)

    def extend(self, rows: Rows) -> Rows:
        """Put rows behind the others; returns all that are there now, without copying them."""
        end = self._count + len(rows)
        self._rows.vectors[self._count : end] = rows.vectors
        self._rows.chunk_ids[self._count : end] = rows.chunk_ids
        self._rows.versions[self._count : end] = rows.versions
        self._rows.documents[:, self._count : end] = rows.documents
        self._rows.blank[self._count : end] = rows.blank
        self._count = end
        return self.rows

    @property
    def rows(self) -> Rows:
        """All rows, without copying them."""
        return self._rows.take(slice(self._count))
