"""Which lists the rows of a segment are put into: spherical k-means over a sample."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.segment_progress import BuildingProgress
from rag_server.adapters.faiss.segment_rows import BATCH_ROWS, SpooledRows

SAMPLE_PER_LIST = 40
ITERATIONS = 6
SEED = 17


def list_count(rows: int) -> int:
    """How many lists so many rows are put into: the power of two nearest to four times the square root.

    Then looking through the centroids costs about as much as looking through the lists that are probed.
    """
    return min(rows, 2 ** round(float(np.log2(4 * rows**0.5)))) if rows else 0


def sample_of(rows: SpooledRows) -> NDArray[np.float32]:
    """Rows to learn from, in the order in which they came. None of them is blank."""
    found = np.flatnonzero(~rows.blank)
    count = min(len(found), SAMPLE_PER_LIST * list_count(len(found)))
    chosen = np.random.default_rng(SEED).choice(found, count, replace=False) if count else found
    return np.ascontiguousarray(rows.vectors[np.sort(chosen)])


def learnt(sample: NDArray[np.float32], count: int, progress: BuildingProgress) -> NDArray[np.float32]:
    """The centroids: (count, d) of unit length."""
    if not count:
        progress.add(progress.rows)
        return sample
    draw = np.random.default_rng(SEED)
    centroids = sample[np.sort(draw.choice(len(sample), count, replace=False))]
    for iteration in range(ITERATIONS):
        lists = nearest_lists(sample, centroids, progress)
        centroids = _directions(sample, lists, centroids, draw)
        progress.add(progress.rows * (iteration + 1) // ITERATIONS - progress.rows * iteration // ITERATIONS)
    return centroids


def nearest_lists(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], progress: BuildingProgress
) -> NDArray[np.int64]:
    """The list of each vector."""
    lists = np.empty(len(vectors), np.int64)
    coarse = _coarse(centroids)
    for start in range(0, len(vectors), BATCH_ROWS):
        end = start + BATCH_ROWS
        lists[start:end] = coarse.search(vectors[start:end], 1)[1][:, 0]
        progress.add(0)
    return lists


def lists_of(rows: SpooledRows, centroids: NDArray[np.float32], progress: BuildingProgress) -> NDArray[np.int64]:
    """The list of each row; that behind the last for a blank one."""
    lists = np.full(len(rows), len(centroids), np.int64)
    coarse = _coarse(centroids)
    for batch in rows.batches():
        if len(centroids):
            nearest = coarse.search(np.ascontiguousarray(rows.vectors[batch]), 1)[1][:, 0]
            lists[batch] = np.where(rows.blank[batch], len(centroids), nearest)
        progress.add(batch.stop - batch.start)
    return lists


def _coarse(centroids: NDArray[np.float32]) -> Any:
    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids))
    return index


def _directions(
    sample: NDArray[np.float32], lists: NDArray[np.int64], centroids: NDArray[np.float32], draw: np.random.Generator
) -> NDArray[np.float32]:
    """Where the rows of each list point. An empty list begins again at a row of one of the longest."""
    sizes = np.bincount(lists, minlength=len(centroids))
    filled, empty = np.flatnonzero(sizes), np.flatnonzero(sizes == 0)
    sums = centroids.copy()
    by_list = sample[np.argsort(lists, kind="stable")]
    sums[filled] = np.add.reduceat(by_list, (np.cumsum(sizes) - sizes)[filled], axis=0)
    longest = filled[np.argsort(-sizes[filled], kind="stable")]
    for number, place in enumerate(empty):
        sums[place] = sample[draw.choice(np.flatnonzero(lists == longest[number % len(longest)]))]
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    directions: NDArray[np.float32] = np.divide(sums, lengths, out=centroids.copy(), where=lengths > 0)
    return directions


def set_ranges(quantizer: faiss.ScalarQuantizer, ranges: NDArray[np.float32]) -> None:
    """Let an 8-bit quantizer code from these lowest values on, and so far: (2, d).

    It learns them from their two ends. Its own vector of numbers cannot be written to where another library that was
    made with SWIG is loaded in the process, as in tests: both take it for theirs.
    """
    lowest, span = ranges
    quantizer.train(np.stack([lowest, lowest + span]))
