"""Rows come out of a pipe as they went in."""

import io

import numpy as np
import pytest

from rag_server.adapters.segment_process.frames import NO_MORE, decode_rows, encode_rows
from rag_server.segment_ports import VectorRows


def rows(*ids: int) -> VectorRows:
    vectors = np.arange(4 * len(ids), dtype=np.float32).reshape(-1, 4)
    return VectorRows(np.array(ids), np.array(ids) * 10, [f"d{n % 2}" for n in ids], vectors)


def key(document_id: str) -> tuple[int, int]:
    return len(document_id), int(document_id[1:])


def test_portions_come_out_as_they_went_in() -> None:
    sent = rows(1, 2, 3), rows(7)
    stream = io.BytesIO(b"".join(map(encode_rows, sent)) + NO_MORE + b"not read")
    received = list(decode_rows(stream, key))
    for one, other in zip(sent, received, strict=True):
        assert other.chunk_ids.tolist() == one.chunk_ids.tolist()
        assert other.versions.tolist() == one.version_ids.tolist()
        assert other.vectors.tolist() == one.vectors.tolist()
        assert other.documents.tolist() == [[2] * len(one.chunk_ids), [n % 2 for n in one.chunk_ids.tolist()]]
        assert other.documents.dtype == np.int64


@pytest.mark.parametrize("kept", [0, 3, 8, 100, -1])
def test_what_breaks_off_is_no_end(kept: int) -> None:
    stream = io.BytesIO((encode_rows(rows(1, 2, 3)) + NO_MORE)[:kept])
    with pytest.raises(EOFError):
        list(decode_rows(stream, key))
