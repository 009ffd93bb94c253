"""What the parent of a builder of segments writes to it: frames, each a portion of rows as four arrays."""

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rag_server.adapters.faiss.segment_rows import SegmentRows
from rag_server.segment_ports import VectorRows

DocumentKey = Callable[[str], tuple[int, int]]

_LENGTH = struct.Struct("<Q")
NO_MORE = _LENGTH.pack(0)


def encode_rows(rows: VectorRows) -> bytes:
    """One portion."""
    buffer = io.BytesIO(bytes(_LENGTH.size))
    buffer.seek(_LENGTH.size)
    documents = np.array([document_id.encode() for document_id in rows.document_ids], np.bytes_)
    for array in (rows.chunk_ids, rows.version_ids, documents, rows.vectors):
        npy.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    _LENGTH.pack_into(buffer.getbuffer(), 0, buffer.tell() - _LENGTH.size)
    return buffer.getvalue()


def decode_rows(stream: BinaryIO, document_key: DocumentKey) -> Iterator[SegmentRows]:
    """All portions. `document_key` turns the id of a document into two numbers. Raises EOFError before NO_MORE."""
    while length := _LENGTH.unpack(_read(stream, _LENGTH.size))[0]:
        frame = io.BytesIO(_read(stream, length))
        chunk_ids, versions, documents, vectors = (npy.read_array(frame, allow_pickle=False) for _ in range(4))
        yield SegmentRows(chunk_ids, versions, _keys(documents, document_key), vectors)


def _read(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the rows broke off")
    return data


def _keys(documents: NDArray[np.bytes_], document_key: DocumentKey) -> NDArray[np.int64]:
    """(2, n); chunks of a document mostly stand together."""
    distinct, places = np.unique(documents, return_inverse=True)
    keys = np.array([document_key(document_id.decode()) for document_id in distinct.tolist()], np.int64)
    return np.ascontiguousarray(keys[places].T)
