"""Counting tokens between two places of a text by the offsets of one tokenisation."""

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

# A word that the tokenizer does not know is one token however long it is, and blanks are none:
# without a price of their own they would make chunks of any size.
CHARS_PER_TOKEN_AT_MOST = 64


class TokenSpans:
    """Token ranges of a text of `length` code points, ascending; each stretch of 64 code points costs one at least."""

    def __init__(self, offsets: NDArray[np.int32], length: int) -> None:
        starts, ends = _priced(offsets[:, 0], offsets[:, 1], length)
        self._starts = starts.data  # bisect reads plain integers from it, three times faster than from an array
        self._ends = ends.data
        self._length = length

    def count(self, start: int, end: int) -> int:
        """How many tokens touch [start, end)."""
        return max(0, bisect_left(self._starts, end) - bisect_right(self._ends, start))

    def end_within(self, start: int, tokens: int) -> int:
        """The largest end for which [start, end) touches at most this many tokens."""
        index = bisect_right(self._ends, start) + tokens
        return self._starts[index] if index < len(self._starts) else self._length

    def start_within(self, end: int, tokens: int) -> int:
        """The least token start from which [start, end) touches at most this many tokens."""
        if tokens == 0 or not len(self._starts):
            return end
        return min(end, self._starts[max(0, bisect_left(self._starts, end) - tokens)])


def _priced(
    starts: NDArray[np.int32], ends: NDArray[np.int32], length: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    bounds = np.concatenate([[0], starts, [length]]).astype(np.int32)
    stretches = np.diff(bounds)
    long = np.flatnonzero(stretches > CHARS_PER_TOKEN_AT_MOST)
    if not long.size:
        return np.ascontiguousarray(starts, np.int32), np.ascontiguousarray(ends, np.int32)
    added = np.concatenate(
        [np.arange(bounds[i] + CHARS_PER_TOKEN_AT_MOST, bounds[i + 1], CHARS_PER_TOKEN_AT_MOST) for i in long]
    ).astype(np.int32)
    all_starts = np.concatenate([starts, added])
    all_ends = np.concatenate([ends, np.minimum(added + CHARS_PER_TOKEN_AT_MOST, length).astype(np.int32)])
    order = np.argsort(all_starts, kind="stable")
    all_starts, all_ends = all_starts[order], all_ends[order]
    # A long token ends where its next piece starts.
    return all_starts, np.minimum(all_ends, all_starts + CHARS_PER_TOKEN_AT_MOST).astype(np.int32)
