"""Building a compressed segment: rows are spooled to disk, lists are learnt from a sample, then all rows are encoded.

Memory is twice the sample, the centroids and about 100 bytes a row; the vectors stay on disk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.segment_file import Arrays, ListPlaces, SegmentHeader, write_head
from rag_server.adapters.faiss.segment_lists import learnt, list_count, lists_of, nearest_lists, sample_of, set_ranges
from rag_server.adapters.faiss.segment_progress import BuildingProgress, OnProgress
from rag_server.adapters.faiss.segment_rows import SegmentRows, SpooledRows, spooled


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """What is known before the first row."""

    dimensions: int
    model: str  # fingerprint of the model that made the vectors
    expected_rows: int  # for the progress until they are counted


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    centroids: NDArray[np.float32]  # (lists, d)
    ranges: NDArray[np.float32]  # (2, d)
    order: NDArray[np.int64]  # (n,) rows by list, blank ones last
    sizes: NDArray[np.int64]  # (lists,)


def build_segment(
    batches: Iterable[SegmentRows], plan: SegmentPlan, path: Path, scratch: Path, on_progress: OnProgress
) -> SegmentHeader:
    """Write a segment to `path`; the same rows give the same bytes. Uses one thread, and `path` is not synced.

    `scratch` is a file that grows as large as all vectors; it is removed. `on_progress` gets the work done and the work
    in all; it ends the building by raising. :raises ValueError: rows that do not fit together.
    """
    faiss.omp_set_num_threads(1)
    progress = BuildingProgress(on_progress, plan.expected_rows)
    try:
        rows = spooled(batches, plan.dimensions, scratch, progress)
        return _write(rows, _learn(rows, progress), plan, path, progress)
    finally:
        scratch.unlink(missing_ok=True)


def _learn(rows: SpooledRows, progress: BuildingProgress) -> _Learnt:
    sample = sample_of(rows)
    centroids = learnt(sample, list_count(int(np.count_nonzero(~rows.blank))), progress)
    ranges = _ranges(sample, centroids, progress)
    lists = lists_of(rows, centroids, progress)
    sizes = np.bincount(lists, minlength=len(centroids) + 1)[: len(centroids)].astype(np.int64)
    return _Learnt(centroids, ranges, np.argsort(lists, kind="stable"), sizes)


def _ranges(
    sample: NDArray[np.float32], centroids: NDArray[np.float32], progress: BuildingProgress
) -> NDArray[np.float32]:
    """(2, d): the lowest of each dimension, and how far up they go, of what is left after the centroid."""
    if not len(sample):
        return np.zeros((2, sample.shape[1]), np.float32)
    residuals = sample - centroids[nearest_lists(sample, centroids, progress)]
    lowest = residuals.min(axis=0)
    return np.stack([lowest, residuals.max(axis=0) - lowest])


def _write(
    rows: SpooledRows, learnt_here: _Learnt, plan: SegmentPlan, path: Path, progress: BuildingProgress
) -> SegmentHeader:
    found = int(learnt_here.sizes.sum())
    header = SegmentHeader(plan.dimensions, len(rows), found, len(learnt_here.centroids), plan.model)
    with path.open("wb") as file:
        places = write_head(file, header, _arrays(rows, learnt_here))
        for size, content in _encoded(rows, learnt_here, places):
            file.write(content)
            progress.add(size)
    progress.add(len(rows) - found)
    return header


def _arrays(rows: SpooledRows, learnt_here: _Learnt) -> Arrays:
    chunk_ids, documents = rows.chunk_ids[learnt_here.order], rows.documents[:, learnt_here.order]
    return {
        "list_sizes": learnt_here.sizes,
        "centroids": learnt_here.centroids,
        "ranges": learnt_here.ranges,
        "by_id": np.argsort(chunk_ids, kind="stable").astype(np.int32),
        "by_document": np.argsort(documents[0], kind="stable").astype(np.int32),
        "chunk_ids": chunk_ids,
        "versions": rows.versions[learnt_here.order],
        "documents": documents,
    }


def _encoded(rows: SpooledRows, learnt_here: _Learnt, places: ListPlaces) -> Iterator[tuple[int, bytes]]:
    """Of each list how many rows it has, and its bytes."""
    dimensions = learnt_here.ranges.shape[1]
    quantizer = faiss.ScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_8bit)
    set_ranges(quantizer, learnt_here.ranges)
    for centroid, first, size, capacity in zip(
        learnt_here.centroids,
        places.first_rows.tolist(),
        places.sizes.tolist(),
        places.capacities.tolist(),
        strict=True,
    ):
        residuals = np.ascontiguousarray(rows.vectors[learnt_here.order[first : first + size]] - centroid)
        codes = np.zeros((capacity, dimensions), np.uint8)
        codes[:size] = quantizer.compute_codes(residuals)
        numbers = np.arange(first, first + capacity, dtype=np.int64)
        yield size, codes.tobytes() + numbers.tobytes()
