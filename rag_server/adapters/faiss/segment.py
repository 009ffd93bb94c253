"""A compressed segment that is open: how it is searched where it is mapped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.segment_file import SegmentFile, map_file
from rag_server.adapters.faiss.segment_lists import set_ranges

# Lists that a search without a filter looks into (docs/decisions/0017: recall by depth).
PROBED_LISTS = 128
# A search looks at so many allowed rows for each hit that is asked for, at least.
ROWS_PER_HIT = 30
# From this share of the lists on all are looked into: that is exact and costs little more.
ALL_LISTS_SHARE = 0.5
# Fewer allowed rows than this, or this share of all, are decoded and compared instead of passing through the lists.
DECODED_ROWS = 2_000
DECODED_SHARE = 0.01

Hits = tuple[NDArray[np.int64], NDArray[np.float32]]  # rows and inner products, best first


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Rows that never change, eight bits a number. Any thread may search; faiss releases the interpreter lock."""

    file: SegmentFile
    _index: Any  # faiss.IndexIVFScalarQuantizer over the mapped lists; None where nothing can be found

    @property
    def row_count(self) -> int:
        return self.file.header.rows

    @property
    def size_bytes(self) -> int:
        return len(self.file.mapped)

    @property
    def chunk_ids(self) -> NDArray[np.int64]:
        """(n,)"""
        return self.file.chunk_ids

    @property
    def versions(self) -> NDArray[np.int64]:
        """(n,) the version that each chunk belongs to."""
        return self.file.versions

    @property
    def documents(self) -> NDArray[np.int64]:
        """(2, n) the keys of the documents."""
        return self.file.documents

    @property
    def blank(self) -> NDArray[np.bool_]:
        """(n,) whether the vector is zero."""
        return np.arange(self.row_count) >= self.file.header.found_rows

    def rows_of(self, chunk_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each chunk; -1 for one that is not here."""
        places = np.searchsorted(self.chunk_ids, chunk_ids, side="right", sorter=self.file.by_id) - 1
        if not self.row_count:
            return places
        rows = self.file.by_id[places].astype(np.int64)
        return np.where((places >= 0) & (self.chunk_ids[rows] == chunk_ids), rows, -1)

    def rows_of_documents(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """All rows of these documents (2, k), in no order."""
        first, by_document = self.documents[0], self.file.by_document
        starts = np.searchsorted(first, keys[0], side="left", sorter=by_document)
        ends = np.searchsorted(first, keys[0], side="right", sorter=by_document)
        found = [np.empty(0, np.int64)]
        for place in np.flatnonzero(ends > starts).tolist():
            rows = by_document[starts[place] : ends[place]].astype(np.int64)
            found.append(rows[self.documents[1][rows] == keys[1, place]])
        return np.concatenate(found)

    def vectors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(k, d): what searching compares with, zero for a blank row. :raises IndexError: there is no such row."""
        if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < self.row_count:
            raise IndexError(f"not rows of {self.row_count}")
        vectors = np.zeros((len(rows), self.file.header.dimensions), np.float32)
        found = np.flatnonzero(rows < self.file.header.found_rows)
        if not found.size:
            return vectors
        lists, codes = self._codes_of(rows[found])
        vectors[found] = self._index.sq.decode(codes) + self.file.centroids[lists]
        return vectors

    def nearest(self, vectors: NDArray[np.float32], limit: int, allowed: NDArray[np.uint8] | None = None) -> list[Hits]:
        """For each of the vectors (q, d) at most `limit` rows by inner product.

        `allowed` has a bit for each row, lowest first. Few allowed rows are all compared; of many, those in the lists
        nearest to the vector. :raises ValueError: not finite vectors of the right size, or not enough bits.
        """
        vectors = self._checked(vectors, allowed)
        count = self.row_count if allowed is None else int(np.bitwise_count(allowed).sum())
        if self._index is None or not count or limit <= 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in vectors]
        if allowed is not None and count <= max(DECODED_ROWS, DECODED_SHARE * self.row_count):
            return self._compared(vectors, limit, allowed)
        return self._probed(vectors, min(limit, count), allowed, self._depth(limit, count))

    def _depth(self, limit: int, count: int) -> int:
        """How many lists to look into; all of them where that is exact for little more."""
        lists, found = self.file.header.lists, self.file.header.found_rows
        depth = max(PROBED_LISTS, -(-lists * ROWS_PER_HIT * limit // found))
        if count < found:
            # As many allowed rows as without a filter there are rows: hits that are rarer lie farther away.
            depth = depth * found // count
        return lists if depth >= lists * ALL_LISTS_SHARE else depth

    def _probed(
        self, vectors: NDArray[np.float32], limit: int, allowed: NDArray[np.uint8] | None, depth: int
    ) -> list[Hits]:
        # For each thread that calls: two threads make one query slower.
        faiss.omp_set_num_threads(1)
        selector = None if allowed is None else faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(allowed))
        parameters = _with(faiss.SearchParametersIVF(), nprobe=depth, sel=selector)
        scores, rows = self._index.search(vectors, limit, params=parameters)
        there = (rows >= 0) & (rows < self.row_count)  # -1 where fewer were found
        return [(found[hits], near[hits]) for found, near, hits in zip(rows, scores, there, strict=True)]

    def _compared(self, vectors: NDArray[np.float32], limit: int, allowed: NDArray[np.uint8]) -> list[Hits]:
        rows = np.flatnonzero(np.unpackbits(allowed, count=self.row_count, bitorder="little").view(np.bool_))
        rows = rows[: np.searchsorted(rows, self.file.header.found_rows)]
        hits = []
        for scores in vectors @ self.vectors_of(rows).T:
            best = np.argsort(-scores, kind="stable")[:limit]
            hits.append((rows[best], scores[best]))
        return hits

    def _codes_of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The lists of these rows, and their codes (k, d)."""
        places, dimensions = self.file.places, self.file.header.dimensions
        lists = np.searchsorted(places.first_rows, rows, side="right") - 1
        offsets = places.offsets[lists] + (rows - places.first_rows[lists]) * dimensions
        codes: NDArray[np.uint8] = np.lib.stride_tricks.sliding_window_view(self.file.mapped, dimensions)[offsets]
        return lists, codes

    def _checked(self, vectors: NDArray[np.float32], allowed: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        # faiss reads as many numbers as it is told to, whatever the arrays hold.
        dimensions = self.file.header.dimensions
        if vectors.ndim != 2 or vectors.shape[1] != dimensions or not np.isfinite(vectors).all():  # noqa: PLR2004 - (q, d)
            raise ValueError(f"not finite vectors of {dimensions} dimensions")
        if allowed is not None and (
            allowed.dtype != np.uint8 or allowed.shape != (-(-self.row_count // 8),) or not allowed.flags.c_contiguous
        ):
            raise ValueError(f"not a bit for each of {self.row_count} rows")
        return np.ascontiguousarray(vectors, np.float32)


def open_segment(path: Path) -> Segment:
    """Open a segment by mapping it. :raises SegmentDamaged: it is not one."""
    file = map_file(path)
    return Segment(file, _index_of(file) if file.header.lists else None)


def _index_of(file: SegmentFile) -> Any:
    header = file.header
    coarse = faiss.IndexFlatIP(header.dimensions)
    coarse.add(file.centroids)
    index = faiss.IndexIVFScalarQuantizer(
        coarse,
        header.dimensions,
        header.lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        True,  # codes are of what is left after the centroid
    )
    set_ranges(index.sq, file.ranges)
    lists = _mapped_lists(file)
    index.replace_invlists(lists, True)
    lists.this.disown()  # it goes with the index
    return _with(index, ntotal=header.found_rows, is_trained=True)


def _mapped_lists(file: SegmentFile) -> Any:
    """The lists for faiss, which maps the file for itself: with the memory of another it would let go of it."""
    lists = _with(
        faiss.OnDiskInvertedLists(),
        nlist=file.header.lists,
        code_size=file.header.dimensions,
        filename=str(file.path),
        totsize=len(file.mapped),
        read_only=True,
        prefetch_nthread=0,
    )
    entries: Any = lists.lists  # a vector of three numbers each
    entries.resize(file.header.lists)
    table = np.stack([file.places.sizes, file.places.capacities, file.places.offsets], axis=1)
    faiss.memcpy(entries.data(), faiss.swig_ptr(np.ascontiguousarray(table)), table.nbytes)
    lists.do_mmap()
    return lists


def _with(thing: Any, **fields: object) -> Any:
    """A thing of faiss, which takes few of its fields when it is made."""
    for name, value in fields.items():
        setattr(thing, name, value)
    return thing
