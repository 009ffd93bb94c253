"""Texts that differ with nearly every document, as 128 bits of their hash: equal bits are taken for equal texts."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]  # (n, 2)

# Documents that came since the sorted part was made are looked up in a dictionary, up to here or a quarter of all.
FEWEST_UNSORTED = 4_096


def key_of(text: str) -> tuple[int, int]:
    """The two halves of its hash."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def having_one_of(keys: Keys, texts: Sequence[str]) -> NDArray[np.intp]:
    """Where in `keys` one of the texts stands."""
    wanted = {key_of(text) for text in texts}
    if len(wanted) == 1:
        first, second = (np.uint64(half) for half in next(iter(wanted)))
        return np.flatnonzero((keys[:, 0] == first) & (keys[:, 1] == second))
    candidates = np.flatnonzero(np.isin(keys[:, 0], np.array(sorted(first for first, _ in wanted), np.uint64)))
    there = [(int(first), int(second)) in wanted for first, second in keys[candidates]]
    return candidates[np.array(there, np.bool_)]


class Places:
    """Where each document stands that came so far. Used by the thread that adds them only."""

    def __init__(self, keys: Keys) -> None:
        self._recent: dict[tuple[int, int], int] = {}
        self._sort(keys)

    def add(self, key: tuple[int, int], ordinal: int) -> None:
        """The document stands there now."""
        self._recent[key] = ordinal

    def settle(self, keys: Keys) -> None:
        """Sort anew where it is worth it; `keys` are those of all documents so far."""
        if len(self._recent) > max(FEWEST_UNSORTED, len(self._ordinals) // 4):
            self._recent.clear()
            self._sort(keys)

    def of(self, key: tuple[int, int], keys: Keys) -> list[int]:
        """All places where the document stands or stood."""
        first = np.uint64(key[0])
        begin, end = np.searchsorted(self._firsts, first), np.searchsorted(self._firsts, first, "right")
        found = [int(ordinal) for ordinal in self._ordinals[begin:end] if int(keys[ordinal, 1]) == key[1]]
        return found if (recent := self._recent.get(key)) is None else [*found, recent]

    def _sort(self, keys: Keys) -> None:
        self._ordinals = np.argsort(keys[:, 0], kind="stable")
        self._firsts = keys[self._ordinals, 0]
