"""Finds the rows that repeat from page to page: running heads and feet, and page numbers."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag_server.adapters.pdf.rows import Row

_DIGITS = re.compile(r"\d+")
# How many pages ahead and behind are compared; heads of left and right pages differ, so half of them count.
_REACH = 6
_ENOUGH_REPEATS = 3
_FEWEST_PAGES = 3
# Of the page's height, at its top and at its bottom.
_EDGE = 0.12
_EDGE_ROWS = 4
_EDGE_ROWS_WITHOUT_PLACES = 2
_LONGEST_HEAD_CHARS = 200
# A head may name the section beside what never changes; a table's last row repeats less than this.
_EXPECTED_NUMBERS = 0.8
_ENOUGH_SHARED = 0.6
_ENOUGH_SHARED_CHARS = 15


@dataclass(frozen=True, slots=True)
class RawPage:
    """The rows of a page before it is written."""

    number: int
    rows: Sequence[Row]
    height: float
    is_damaged: bool = False


@dataclass(frozen=True, slots=True)
class _EdgeRow:
    index: int
    shape: tuple[bool, str]  # at the top or at the bottom, and the text with its numbers masked
    numbers: tuple[int, ...]
    cells: frozenset[str]  # with the parts of the row that stand apart


def without_running_heads(pages: Iterable[RawPage], page_count: int) -> Iterator[RawPage]:
    """The same pages without the rows that repeat. Reads a few pages ahead; short documents pass untouched."""
    if page_count < _FEWEST_PAGES:
        yield from pages
        return
    window: deque[tuple[RawPage, list[_EdgeRow]]] = deque()
    position = 0  # of the next page to go out, in the window
    for page in pages:
        window.append((page, _edge_rows(page)))
        if len(window) - position > _REACH:
            yield _stripped(window, position, page_count)
            position += 1
        if position > _REACH:
            window.popleft()
            position -= 1
    while position < len(window):
        yield _stripped(window, position, page_count)
        position += 1


def _stripped(window: Sequence[tuple[RawPage, list[_EdgeRow]]], position: int, page_count: int) -> RawPage:
    page, edges = window[position]
    enough = min(_ENOUGH_REPEATS, page_count - 1)
    repeated = {
        edge.index
        for edge in edges
        if sum(
            any(_is_same(edge, other, each.number - page.number) for other in others)
            for each, others in window
            if each is not page
        )
        >= enough
    }
    if not repeated or len(repeated) == len(page.rows):
        return page
    return replace(page, rows=[row for index, row in enumerate(page.rows) if index not in repeated])


def _is_same(edge: _EdgeRow, other: _EdgeRow, pages_on: int) -> bool:
    """Whether the text is the same but for numbers that count the pages, and at most a few that count sections."""
    if edge.shape == other.shape:
        pairs = zip(edge.numbers, other.numbers, strict=True)
        expected = sum(theirs in (mine, mine + pages_on) for mine, theirs in pairs)
        return expected >= _EXPECTED_NUMBERS * len(edge.numbers)
    if edge.shape[0] != other.shape[0] or edge.cells.isdisjoint(other.cells):
        return False
    shared = sum(map(len, edge.cells & other.cells))
    return shared >= max(_ENOUGH_SHARED_CHARS, _ENOUGH_SHARED * sum(map(len, edge.cells)))


def _edge_rows(page: RawPage) -> list[_EdgeRow]:
    found = []
    for is_top, index in _edge_indexes(page):
        text = page.rows[index].text
        if len(text) <= _LONGEST_HEAD_CHARS:
            numbers = tuple(int(digits[:18]) for digits in _DIGITS.findall(text))
            cells = frozenset(cell.text for cell in page.rows[index].cells)
            found.append(_EdgeRow(index, (is_top, _DIGITS.sub("#", text)), numbers, cells))
    return found


def _edge_indexes(page: RawPage) -> list[tuple[bool, int]]:
    count = len(page.rows)
    if not page.height:
        edge = min(_EDGE_ROWS_WITHOUT_PLACES, count // 2)
        return [(True, index) for index in range(edge)] + [(False, index) for index in range(count - edge, count)]
    by_height = sorted(range(count), key=lambda index: page.rows[index].y0)
    top = [(True, i) for i in by_height[:_EDGE_ROWS] if page.rows[i].y1 < page.height * _EDGE]
    bottom = [(False, i) for i in by_height[-_EDGE_ROWS:] if page.rows[i].y0 > page.height * (1 - _EDGE)]
    return top + bottom
