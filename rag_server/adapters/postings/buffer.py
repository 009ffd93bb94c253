"""Arrays that grow at their end while others read what was there before."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # each has its own type

SMALLEST_BUFFER = 16
GROWTH = 1.5


class Buffer:
    """Arrays of one length. One thread appends; a reader sees at least what was there when it got its state.

    What readers were given is never written again: new entries go behind it, or into larger arrays.
    """

    __slots__ = ("_arrays", "_length")

    def __init__(self, arrays: tuple[Array, ...]) -> None:
        self._arrays = arrays
        self._length = len(arrays[0])

    def __len__(self) -> int:
        return self._length

    def read(self) -> tuple[Array, ...]:
        """The entries so far; views of the arrays."""
        length = self._length  # first: the arrays are then at least as new
        return tuple(array[:length] for array in self._arrays)

    def append(self, one: Any, other: Any) -> None:
        """Add one entry to two arrays."""
        length = self._length
        if length == len(self._arrays[0]):
            self._grow(length + 1)
        ones, others = self._arrays
        ones[length] = one
        others[length] = other
        self._length = length + 1

    def extend(self, *columns: Sequence[Any] | Array) -> None:
        """Add some entries at once."""
        length = self._length
        end = length + len(columns[0])
        if end > len(self._arrays[0]):
            self._grow(end)
        for array, values in zip(self._arrays, columns, strict=True):
            array[length:end] = values
        self._length = end

    def _grow(self, needed: int) -> None:
        capacity = max(SMALLEST_BUFFER, needed, int(len(self._arrays[0]) * GROWTH))
        grown = []
        for array in self._arrays:
            larger = np.zeros((capacity, *array.shape[1:]), array.dtype)
            larger[: self._length] = array[: self._length]
            grown.append(larger)
        self._arrays = tuple(grown)
