"""Files that are not what they should be, and how one is written."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rag_server.adapters.faiss.segment import open_segment
from rag_server.adapters.faiss.segment_file import ALIGNMENT, MAGIC, SegmentDamaged, SegmentHeader, map_file, write_head
from tests.rag_server.adapters.faiss.segment_rows import built, unit_vectors

D = 16
ROWS = 600


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    vectors = unit_vectors(ROWS, D)
    vectors[:5] = 0
    return built(vectors, tmp_path_factory.mktemp("segment") / "segment").read_bytes()


def header_of(content: bytes) -> dict[str, object]:
    (length,) = struct.unpack_from("<I", content, len(MAGIC))
    fields: dict[str, object] = json.loads(content[len(MAGIC) + 4 : len(MAGIC) + 4 + length])
    return fields


def with_header(content: bytes, header: object) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, sort_keys=True).encode()
    start = MAGIC + struct.pack("<I", len(text)) + text
    return start.ljust(-(-len(start) // ALIGNMENT) * ALIGNMENT, b"\0") + content[arrays_from(content) :]


def arrays_from(content: bytes) -> int:
    return len(SegmentHeader(**header_of(content)).encoded())  # type: ignore[arg-type] # as they were written


def place_of(content: bytes, name: str) -> int:
    """Where an array begins."""
    position = arrays_from(content)
    for here, (kind, shape) in SegmentHeader(**header_of(content)).arrays.items():  # type: ignore[arg-type] # see above
        if here == name:
            return position
        position += -(-np.empty(shape, kind).nbytes // ALIGNMENT) * ALIGNMENT
    raise KeyError(name)


def with_array(content: bytes, name: str, change: bytes) -> bytes:
    """Other numbers at the beginning of an array."""
    place = place_of(content, name)
    return content[:place] + change + content[place + len(change) :]


def with_fields(**fields: object) -> Callable[[bytes], bytes]:
    return lambda content: with_header(content, header_of(content) | fields)


def with_numbers(name: str, *numbers: float, kind: type[np.generic]) -> Callable[[bytes], bytes]:
    return lambda content: with_array(content, name, np.array(numbers, kind).tobytes())


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no length": lambda content: content[:10],
    "another magic number": lambda content: b"X" + content[1:],
    "a header without end": lambda content: content[: len(MAGIC)] + b"\xff\xff\xff\xff" + content[len(MAGIC) + 4 :],
    "a header that is no text": lambda content: with_header(content, b"\xff\xfe{}"),
    "a header that is a list": lambda content: with_header(content, [1, 2]),
    "a header of brackets": lambda content: with_header(content, b"[" * 4_000),
    "an unknown field": with_fields(surprise=1),
    "a missing field": lambda content: with_header(content, {"rows": ROWS}),
    "dimensions as text": with_fields(dimensions="16"),
    "dimensions as truth": with_fields(dimensions=True),
    "no dimensions": with_fields(dimensions=0),
    "too many dimensions": with_fields(dimensions=2**40),
    "more rows": with_fields(rows=ROWS + 1),
    "far more rows": with_fields(rows=2**31 - 1),
    "rows beyond reason": with_fields(rows=2**63),
    "fewer rows than are found": with_fields(rows=10),
    "negative rows": with_fields(rows=-1),
    "more found rows": with_fields(found_rows=ROWS),
    "more lists": with_fields(lists=ROWS - 5),
    "no lists": with_fields(lists=0),
    "another metric": with_fields(metric="l2"),
    "a model that is no text": with_fields(model=None),
    "a byte less": lambda content: content[:-1],
    "a byte more": lambda content: content + b"\0",
    "half": lambda content: content[: len(content) // 2],
    "a negative list": with_numbers("list_sizes", -1, kind=np.int64),
    "an immense list": with_numbers("list_sizes", 2**62, 2**62, 2**62, 2**62, kind=np.int64),
    "a list too long": with_numbers("list_sizes", ROWS, kind=np.int64),
    "a centroid that is no number": with_numbers("centroids", np.nan, kind=np.float32),
    "a range without end": with_numbers("ranges", np.inf, kind=np.float32),
    "a row out of reach": with_numbers("by_id", ROWS, kind=np.int32),
    "a negative row": with_numbers("by_id", -1, kind=np.int32),
    "a row twice": with_numbers("by_id", 7, 7, kind=np.int32),
    "chunks out of order": with_numbers("chunk_ids", 2**40, -5, kind=np.int64),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_not_a_segment_is_refused(name: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(HOSTILE[name](whole))
    with pytest.raises(SegmentDamaged):
        open_segment(path)


def test_a_file_cut_anywhere_is_refused(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    for length in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(SegmentDamaged):
            open_segment(path)


def test_a_flipped_byte_is_refused_or_does_no_harm(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    draw = np.random.default_rng(5)
    head = place_of(whole, "chunk_ids")
    places = [*draw.integers(0, 400, 150), *draw.integers(0, head, 150), *draw.integers(0, len(whole), 200)]
    refused = 0
    for place in places:
        content = bytearray(whole)
        content[place] ^= int(draw.integers(1, 256))
        path.write_bytes(content)
        try:
            segment = open_segment(path)
        except SegmentDamaged:
            refused += 1
            continue
        ((rows, _),) = segment.nearest(unit_vectors(1, D), 50, np.full(-(-ROWS // 8), 255, np.uint8))
        assert ((rows >= 0) & (rows < ROWS)).all()
        segment.vectors_of(np.arange(ROWS))
    assert 0 < refused < len(places)


def test_the_header_says_what_the_segment_is(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(whole)
    header = map_file(path).header
    assert (header.dimensions, header.rows, header.found_rows, header.model) == (D, ROWS, ROWS - 5, "a-model")


def test_a_file_that_is_not_there_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_segment(tmp_path / "segment")


def test_arrays_that_do_not_fit_the_header_are_not_written(tmp_path: Path) -> None:
    header = SegmentHeader(D, 3, 3, 1, "a-model")
    arrays = {name: np.zeros(shape, kind) for name, (kind, shape) in header.arrays.items()}
    with (tmp_path / "segment").open("wb") as file, pytest.raises(ValueError, match="chunk_ids"):
        write_head(file, header, arrays | {"chunk_ids": np.zeros(4, np.int64)})
