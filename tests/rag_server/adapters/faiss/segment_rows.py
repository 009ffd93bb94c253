"""Rows for segments, and segments of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.segment import Segment, open_segment
from rag_server.adapters.faiss.segment_building import SegmentPlan, build_segment
from rag_server.adapters.faiss.segment_progress import OnProgress
from rag_server.adapters.faiss.segment_rows import SegmentRows

FIRST_CHUNK_ID = 1_000
FIRST_VERSION = 500
TOPICS = 200


def unit_vectors(count: int, dimensions: int, seed: int = 0) -> NDArray[np.float32]:
    """Vectors in clusters, as those of texts are."""
    draw = np.random.default_rng(seed)
    topics = np.random.default_rng(99).standard_normal((TOPICS, dimensions))
    vectors = topics[draw.integers(0, TOPICS, count)] + draw.standard_normal((count, dimensions))
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def batches_of(vectors: NDArray[np.float32], batch_rows: int = 1_000) -> Iterator[SegmentRows]:
    """Chunks from FIRST_CHUNK_ID on, four to a version, and the document's key made of the version's number."""
    for start in range(0, len(vectors), batch_rows):
        part = vectors[start : start + batch_rows]
        numbers = np.arange(start, start + len(part), dtype=np.int64)
        versions = FIRST_VERSION + numbers // 4
        yield SegmentRows(FIRST_CHUNK_ID + numbers, versions, np.stack([versions, -versions]), part)


def go_on(_done: int, _total: int) -> None:
    """Progress that nobody asks for."""


def built(
    vectors: NDArray[np.float32], path: Path, *, batch_rows: int = 1_000, on_progress: OnProgress = go_on
) -> Path:
    """A segment file of these vectors."""
    plan = SegmentPlan(vectors.shape[1], "a-model", len(vectors))
    build_segment(batches_of(vectors, batch_rows), plan, path, path.with_suffix(".scratch"), on_progress)
    return path


def opened(vectors: NDArray[np.float32], folder: Path) -> Segment:
    """The same, open."""
    return open_segment(built(vectors, folder / "segment"))


def bits(allowed: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """As searches take them."""
    return np.packbits(allowed, bitorder="little")
