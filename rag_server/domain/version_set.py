"""Versions of documents that a search may return: the outcome of a filter."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)  # no slots: the table is made once, when it is first needed
class VersionSet:
    """Version ids, ascending and distinct.

    They are given out in the order of ingestion, so a table of them is small.
    """

    version_ids: NDArray[np.int64]  # (n,)
    exact: bool = True  # or some of their passages may not be meant: each is to be held against the filter itself

    def __len__(self) -> int:
        return len(self.version_ids)

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
