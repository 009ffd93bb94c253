"""Cells that are merged downwards: the value stands in the first row of the file and belongs to all of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from openpyxl.utils import range_boundaries

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*"([A-Za-z0-9:$]{1,30})"')
_PIECE_BYTES = 1 << 20
_OVERLAP_BYTES = 200
# More than people make; what comes after them stays as the file has it.
_MOST_RANGES = 20_000


@dataclass(frozen=True, slots=True)
class MergedRange:
    """Rows and the first column of a range, counted from 1."""

    first_row: int
    last_row: int
    column: int


def read_ranges(sheet: IO[bytes]) -> list[MergedRange]:
    """The ranges of more than one row, by their first row. They stand at the end of a sheet, behind its cells."""
    found = [bounds for reference in _references(sheet) if (bounds := _bounds(reference)) is not None]
    return sorted(found, key=lambda merged: merged.first_row)


def _references(sheet: IO[bytes]) -> Iterator[str]:
    seen: set[bytes] = set()
    tail = b""
    while (piece := sheet.read(_PIECE_BYTES)) and len(seen) < _MOST_RANGES:
        window = tail + piece
        for reference in _MERGED.findall(window):
            if reference not in seen:
                seen.add(reference)
                yield reference.decode("ascii")
        tail = window[-_OVERLAP_BYTES:]


def _bounds(reference: str) -> MergedRange | None:
    try:
        column, first_row, _, last_row = range_boundaries(reference)
    except (ValueError, TypeError):
        return None
    if column is None or first_row is None or last_row is None or last_row <= first_row:
        return None
    return MergedRange(first_row, last_row, column)


class MergedRows:
    """Fills the rows of one sheet, which come in order."""

    def __init__(self, ranges: Sequence[MergedRange]) -> None:
        self._waiting = list(reversed(ranges))
        self._open: list[tuple[MergedRange, str]] = []

    def fill(self, row_number: int, texts: list[str]) -> None:
        """Put the values from above into the row, unless nothing else stands in it."""
        self._open = [(merged, text) for merged, text in self._open if merged.last_row >= row_number]
        if any(texts):
            for merged, text in self._open:
                if merged.column <= len(texts) and not texts[merged.column - 1]:
                    texts[merged.column - 1] = text
        while self._waiting and self._waiting[-1].first_row <= row_number:
            merged = self._waiting.pop()
            if merged.first_row == row_number and merged.column <= len(texts) and texts[merged.column - 1]:
                self._open.append((merged, texts[merged.column - 1]))
