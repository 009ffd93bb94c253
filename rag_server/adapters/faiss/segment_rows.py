"""The rows that a segment is built of: spooled to a file, so that only their ids stay in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.segment_progress import BuildingProgress

BATCH_ROWS = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class SegmentRows:
    """Some of the rows that a segment is built of."""

    chunk_ids: NDArray[np.int64]  # (n,) no two the same in a segment
    versions: NDArray[np.int64]  # (n,)
    documents: NDArray[np.int64]  # (2, n): the 128 bits of `document_key`
    vectors: NDArray[np.float32]  # (n, d) of unit length, or zero


@dataclass(frozen=True, slots=True, eq=False)
class SpooledRows:
    """All of them."""

    chunk_ids: NDArray[np.int64]  # (n,)
    versions: NDArray[np.int64]  # (n,)
    documents: NDArray[np.int64]  # (2, n)
    blank: NDArray[np.bool_]  # (n,) whether the vector is zero
    vectors: NDArray[np.float32]  # (n, d) mapped

    def __len__(self) -> int:
        return len(self.chunk_ids)

    def batches(self) -> Iterator[slice]:
        """All rows in portions."""
        for start in range(0, len(self), BATCH_ROWS):
            yield slice(start, min(start + BATCH_ROWS, len(self)))


def spooled(batches: Iterable[SegmentRows], dimensions: int, scratch: Path, progress: BuildingProgress) -> SpooledRows:
    """Take all rows in. :raises ValueError: rows that do not fit together."""
    parts: list[SegmentRows] = []
    blank = [np.empty(0, np.bool_)]
    nothing = np.empty((0, dimensions), np.float32)
    with scratch.open("wb") as file:
        for batch in batches:
            _check(batch, dimensions)
            file.write(np.ascontiguousarray(batch.vectors).tobytes())
            blank.append((batch.vectors == 0).all(axis=1))
            parts.append(SegmentRows(batch.chunk_ids.copy(), batch.versions.copy(), batch.documents.copy(), nothing))
            progress.add(len(batch.chunk_ids))
    chunk_ids = _joined([part.chunk_ids for part in parts])
    if len(np.unique(chunk_ids)) != len(chunk_ids):
        raise ValueError("a chunk came twice")
    progress.count(len(chunk_ids))
    return SpooledRows(
        chunk_ids,
        _joined([part.versions for part in parts]),
        np.concatenate([np.empty((2, 0), np.int64), *(part.documents for part in parts)], axis=1),
        np.concatenate(blank),
        # An empty file cannot be mapped.
        np.memmap(scratch, np.float32, "r", shape=(len(chunk_ids), dimensions)) if len(chunk_ids) else nothing,
    )


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *parts])


def _check(batch: SegmentRows, dimensions: int) -> None:
    count = len(batch.chunk_ids)
    if batch.vectors.shape != (count, dimensions) or batch.vectors.dtype != np.float32:
        raise ValueError(f"vectors are {batch.vectors.dtype} {batch.vectors.shape} instead of {(count, dimensions)}")
    if batch.versions.shape != (count,) or batch.documents.shape != (2, count):
        raise ValueError("not one version and one document for each chunk")
    if any(ids.dtype != np.int64 for ids in (batch.chunk_ids, batch.versions, batch.documents)):
        raise ValueError("ids are not 64 bits wide")
    if not np.isfinite(batch.vectors).all():
        raise ValueError("a vector that is not finite")
