"""Segments for views that a test feeds by hand."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag_server.adapters.faiss.block import document_key
from rag_server.adapters.faiss.segment_building import SegmentPlan, build_segment
from rag_server.adapters.faiss.segment_rows import SegmentRows
from rag_server.domain.document import IndexedChunk


def segment_of(chunks: Sequence[IndexedChunk], folder: Path, dimensions: int) -> tuple[str, Path]:
    """A segment of these chunks as a blob: its hash and its path."""
    rows = SegmentRows(
        np.array([chunk.chunk_id for chunk in chunks], np.int64),
        np.array([chunk.version_id for chunk in chunks], np.int64),
        np.array([document_key(chunk.document_id) for chunk in chunks], np.int64).reshape(-1, 2).T,
        np.stack([chunk.vector for chunk in chunks]).astype(np.float32),
    )
    written = folder / "written"
    build_segment([rows], SegmentPlan(dimensions, "m", len(chunks)), written, folder / "scratch", lambda *_: None)
    name = hashlib.sha256(written.read_bytes()).hexdigest()
    return name, written.rename(folder / name)
