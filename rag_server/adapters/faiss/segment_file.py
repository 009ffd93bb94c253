"""A compressed segment as one file: what stands where in it, how it is written, and how it is mapped and checked.

A magic number, the length of a JSON header, the header, then arrays in a fixed order, each at a multiple of 64 bytes.
Last come the lists: of each its codes, then its row numbers. Rows are ordered by list; blank ones stand behind and have
no code.
"""

import json
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

MAGIC = b"ACVSEG\x00\x01"
METRIC = "inner_product"
ALIGNMENT = 64
ID_BYTES = 8
MAX_HEADER_BYTES = 4_096
MAX_DIMENSIONS = 65_536
MAX_ROWS = 2**31 - 1

_LENGTH = struct.Struct("<I")

Arrays = Mapping[str, NDArray[Any]]  # by the names of SegmentHeader.arrays


class SegmentDamaged(Exception):
    """The file is not a segment that can be searched without harm."""


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What the sizes of all arrays follow from."""

    dimensions: int
    rows: int
    found_rows: int  # those with a vector that is not zero: they stand before the others
    lists: int
    model: str  # fingerprint of the model that made the vectors
    metric: str = METRIC

    def __post_init__(self) -> None:
        for name, highest in (("dimensions", MAX_DIMENSIONS), ("rows", MAX_ROWS)):
            _require(type(getattr(self, name)) is int and 0 <= getattr(self, name) <= highest, name)
        _require(self.dimensions > 0, "dimensions")
        _require(type(self.found_rows) is int and 0 <= self.found_rows <= self.rows, "found_rows")
        _require(type(self.lists) is int and 0 <= self.lists <= self.found_rows, "lists")
        _require((self.lists == 0) == (self.found_rows == 0), "lists")
        _require(type(self.model) is str, "model")
        _require(self.metric == METRIC, "metric")

    def encoded(self) -> bytes:
        """The file up to its first array."""
        text = json.dumps(asdict(self), sort_keys=True).encode()
        start = MAGIC + _LENGTH.pack(len(text)) + text
        return start.ljust(_aligned(len(start)), b"\0")

    @property
    def arrays(self) -> dict[str, tuple[type[np.generic], tuple[int, ...]]]:
        """Name, type and shape of all arrays before the lists, in order."""
        return {
            "list_sizes": (np.int64, (self.lists,)),
            "centroids": (np.float32, (self.lists, self.dimensions)),
            "ranges": (
                np.float32,
                (2, self.dimensions),
            ),  # the lowest residual of each dimension, and how far up they go
            "by_id": (np.int32, (self.rows,)),  # rows by ascending chunk id
            "by_document": (np.int32, (self.rows,)),  # rows by the first number of their document's key
            "chunk_ids": (np.int64, (self.rows,)),
            "versions": (np.int64, (self.rows,)),
            "documents": (np.int64, (2, self.rows)),
        }


@dataclass(frozen=True, slots=True, eq=False)
class ListPlaces:
    """Where the lists stand: all sizes in rows, all offsets in bytes from the beginning of the file."""

    sizes: NDArray[np.int64]  # (lists,)
    capacities: NDArray[np.int64]  # (lists,) a few more where the row numbers would not stand at a multiple of 8 bytes
    offsets: NDArray[np.int64]  # (lists,)
    first_rows: NDArray[np.int64]  # (lists,)
    end: int

    @staticmethod
    def of(sizes: NDArray[np.int64], dimensions: int, start: int) -> "ListPlaces":
        """The places that follow from the sizes."""
        step = ID_BYTES // math.gcd(dimensions, ID_BYTES)
        capacities = -(-sizes // step) * step
        lengths = capacities * (dimensions + ID_BYTES)
        ends = np.cumsum(lengths)
        end = start + (int(ends[-1]) if len(sizes) else 0)
        return ListPlaces(sizes, capacities, start + ends - lengths, np.cumsum(sizes) - sizes, end)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentFile:
    """A mapped file: the arrays are views of it, nothing is copied."""

    path: Path
    header: SegmentHeader
    mapped: NDArray[np.uint8]  # the whole file
    places: ListPlaces
    centroids: NDArray[np.float32]  # (lists, d)
    ranges: NDArray[np.float32]  # (2, d)
    by_id: NDArray[np.int32]  # (n,)
    by_document: NDArray[np.int32]  # (n,)
    chunk_ids: NDArray[np.int64]  # (n,)
    versions: NDArray[np.int64]  # (n,)
    documents: NDArray[np.int64]  # (2, n)


def write_head(file: BinaryIO, header: SegmentHeader, arrays: Arrays) -> ListPlaces:
    """Write all that stands before the lists; returns where these belong."""
    file.write(header.encoded())
    for name, (kind, shape) in header.arrays.items():
        array = arrays[name]
        if array.dtype != kind or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} {array.shape} instead of {kind} {shape}")
        file.write(np.ascontiguousarray(array).tobytes())
        file.write(bytes(_aligned(file.tell()) - file.tell()))
    return ListPlaces.of(arrays["list_sizes"].astype(np.int64), header.dimensions, file.tell())


def map_file(path: Path) -> SegmentFile:
    """Map a segment, and look at everything that faiss or an index into an array will rely on.

    Codes are not looked at, any byte is one; nor are row numbers in lists, which are checked when they come back from
    faiss. The file must not be changed while it is mapped.
    :raises SegmentDamaged: it is not what it should be.
    """
    with path.open("rb") as file:
        header, position = _read_header(file)
        size_bytes = path.stat().st_size
        ends = _array_ends(header, position)
        _require(ends[-1] <= size_bytes, "length")
        mapped = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    arrays = _arrays(header, mapped, position)
    sizes = arrays["list_sizes"]
    _require(bool((sizes >= 0).all()) and bool((sizes <= header.found_rows).all()), "list_sizes")
    _require(int(sizes.sum()) == header.found_rows, "list_sizes")
    places = ListPlaces.of(sizes, header.dimensions, ends[-1])
    _require(places.end == size_bytes, "length")
    opened = SegmentFile(
        path,
        header,
        mapped,
        places,
        arrays["centroids"],
        arrays["ranges"],
        arrays["by_id"],
        arrays["by_document"],
        arrays["chunk_ids"],
        arrays["versions"],
        arrays["documents"],
    )
    _check_numbers(opened)
    return opened


def _read_header(file: BinaryIO) -> tuple[SegmentHeader, int]:
    """The header, and where the first array begins."""
    start = file.read(len(MAGIC) + _LENGTH.size)
    _require(len(start) == len(MAGIC) + _LENGTH.size and start.startswith(MAGIC), "magic number")
    (length,) = _LENGTH.unpack(start[len(MAGIC) :])
    _require(length <= MAX_HEADER_BYTES, "header")
    try:
        fields = json.loads(file.read(length))
        header = SegmentHeader(**fields)
    except (ValueError, TypeError, RecursionError) as error:
        raise SegmentDamaged("header") from error
    return header, _aligned(len(start) + length)


def _array_ends(header: SegmentHeader, position: int) -> list[int]:
    """Where each array and its padding end."""
    ends = []
    for kind, shape in header.arrays.values():
        position = _aligned(position + np.dtype(kind).itemsize * math.prod(shape))
        ends.append(position)
    return ends


def _arrays(header: SegmentHeader, mapped: NDArray[np.uint8], position: int) -> dict[str, NDArray[Any]]:
    arrays = {}
    for (name, (kind, shape)), end in zip(header.arrays.items(), _array_ends(header, position), strict=True):
        length = np.dtype(kind).itemsize * math.prod(shape)
        arrays[name] = mapped[position : position + length].view(kind).reshape(shape)
        position = end
    return arrays


def _check_numbers(opened: SegmentFile) -> None:
    _require(bool(np.isfinite(opened.centroids).all()), "centroids")
    _require(bool(np.isfinite(opened.ranges).all()) and bool((opened.ranges[1] >= 0).all()), "ranges")
    if not opened.header.rows:
        return
    for name, order in (("by_id", opened.by_id), ("by_document", opened.by_document)):
        _require(int(order.min()) >= 0 and int(order.max()) < len(order), name)
    ascending = opened.chunk_ids[opened.by_id]
    # Strictly: so it is a permutation as well.
    _require(bool((ascending[1:] > ascending[:-1]).all()), "chunk_ids")
    ascending = opened.documents[0][opened.by_document]
    _require(bool((ascending[1:] >= ascending[:-1]).all()), "documents")


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise SegmentDamaged(what)
