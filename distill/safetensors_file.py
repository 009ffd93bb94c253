"""Reading and writing the safetensors format: a length, a JSON header, then the bytes of each tensor."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I8": np.dtype("i1"), "I64": np.dtype("<i8")}
_ALIGNMENT = 8


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """All tensors of the file by name."""
    content = path.read_bytes()
    (header_size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + header_size])
    header.pop("__metadata__", None)
    return {name: _tensor(content, 8 + header_size, entry) for name, entry in header.items()}


def _tensor(content: bytes, data_start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    dtype = _DTYPES[entry["dtype"]]
    flat = np.frombuffer(content, dtype, (end - start) // dtype.itemsize, data_start + start)
    tensor: NDArray[Any] = flat.reshape(entry["shape"])
    return tensor


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """The same tensors always give the same bytes."""
    names = {dtype: name for name, dtype in _DTYPES.items()}
    header: dict[str, Any] = {}
    offset = 0
    for name, tensor in tensors.items():
        span = [offset, offset + tensor.nbytes]
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        offset += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    data = b"".join(np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
