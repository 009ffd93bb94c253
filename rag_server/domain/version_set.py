"""Versions of documents that a search may return: the outcome of a filter."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Versions that are meant in part, and which of their passages are."""

    version_ids: NDArray[np.int64]  # (k,) ascending and distinct, all of the set
    chunk_ids: NDArray[np.int64]  # (m,) ascending and distinct


@dataclass(frozen=True, eq=False)  # no slots: the table is made once, when it is first needed
class VersionSet:
    """Version ids, ascending and distinct.

    They are given out in the order of ingestion, so a table of them is small.
    """

    version_ids: NDArray[np.int64]  # (n,)
    exact: bool = True  # or some of what is meant here may not be: each passage is to be held against the filter itself
    parts: Parts | None = None  # where not all passages of all versions are meant

    def __len__(self) -> int:
        return len(self.version_ids)

    @property
    def named(self) -> NDArray[np.int64] | None:
        """(m,) the chunks that are meant, where all versions are meant in part only."""
        if self.parts is None or len(self.parts.version_ids) < len(self.version_ids):
            return None
        return self.parts.chunk_ids

    def means(self, chunk_ids: NDArray[np.int64], version_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(k,) whether each of these chunks is meant, which are of these versions of the set."""
        if self.parts is None:
            return np.ones(len(chunk_ids), np.bool_)
        return ~_among(version_ids, self.parts.version_ids) | _among(chunk_ids, self.parts.chunk_ids)

    def holds(self, version_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(k,) whether each of these is in the set."""
        if not len(self):
            return np.zeros(len(version_ids), np.bool_)
        return self._table[np.clip(version_ids - self._first + 1, 0, len(self._table) - 1)]

    @property
    def _first(self) -> int:
        return int(self.version_ids[0])

    @cached_property
    def _table(self) -> NDArray[np.bool_]:
        """One entry for each id from the first to the last, and one before and behind that are never held."""
        table = np.zeros(int(self.version_ids[-1]) - self._first + 3, np.bool_)
        table[self.version_ids - self._first + 1] = True
        return table


def _among(ids: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(ids), np.bool_)
    places = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return np.asarray(ascending[places] == ids)
