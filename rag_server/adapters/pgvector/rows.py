"""Vectors as pgvector sends and takes them in binary: by COPY, without a codec in the driver."""

import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import IndexedChunk

COLUMNS = ("chunk_id", "version_id", "collection", "vector")

_COPY_BEGIN = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_END = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)
_HEADER_BYTES = 4  # of a vector: the number of dimensions, and two bytes that mean nothing


def copied(chunks: Iterable[IndexedChunk]) -> bytes:
    """What COPY … (FORMAT binary) reads for COLUMNS."""
    return b"".join([_COPY_BEGIN, *map(_row, chunks), _COPY_END])


def vector_from_sent(sent: bytes) -> NDArray[np.float32]:
    """(d,) out of what halfvec_send gives."""
    return np.frombuffer(sent, ">f2", offset=_HEADER_BYTES).astype(np.float32)


def vector_as_text(vector: NDArray[np.float32]) -> str:
    """As a literal; six digits are more than eleven bits hold."""
    return "[" + ",".join([f"{each:.6g}" for each in vector.tolist()]) + "]"


def _row(chunk: IndexedChunk) -> bytes:
    ids = struct.pack(">hiqiq", len(COLUMNS), 8, chunk.chunk_id, 8, chunk.version_id)
    collection = chunk.collection.encode()
    parts = [ids, struct.pack(">i", len(collection)), collection]
    if not chunk.vector.any():
        return b"".join([*parts, _NULL])
    halves = chunk.vector.astype(">f2").tobytes()
    length = struct.pack(">ihh", len(halves) + _HEADER_BYTES, len(chunk.vector), 0)
    return b"".join([*parts, length, halves])
