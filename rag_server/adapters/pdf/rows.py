"""Lines that stand beside each other become one row; rows are what paragraphs and tables are made of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag_server.adapters.parsing.cleaning import clean_line
from rag_server.adapters.pdf.engine import Line

# Of the smaller height: so much must overlap for two lines to stand on one row.
_SAME_ROW_OVERLAP = 0.6
# In font sizes: closer is one word, farther is the next column of a table.
_WORD_GAP = 0.12
COLUMN_GAP = 1.2
_FROM_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of a row that stands apart from its neighbours."""

    text: str
    x0: float
    x1: float


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a page with the number of the block it belongs to."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    block: int
    cells: tuple[Cell, ...] = ()
    columns: tuple[str, ...] = ()  # of a table's row, one text per column, "" where the cell is empty


@dataclass(frozen=True, slots=True)
class RuledTable(Line):
    """A table among the lines of a page, in one piece."""

    rows: tuple[Row, ...] = ()


def rows_of(blocks: Sequence[Sequence[Line]], *, has_places: bool = True) -> list[Row]:
    """The rows of blocks that are in reading order."""
    rows: list[Row] = []
    beside: list[Line] = []
    first_block = 0
    for block, lines in enumerate(blocks):
        for line in lines:
            if beside and not (has_places and is_beside(beside[-1], line)):
                rows.append(_row(beside, first_block))
                beside = []
            if isinstance(line, RuledTable):
                rows += [replace(row, block=block) for row in line.rows]
                continue
            if not beside:
                first_block = block
            beside.append(line)
    if beside:
        rows.append(_row(beside, first_block))
    return [row for row in rows if row.text]


def is_beside(line: Line, following: Line) -> bool:
    """Whether the following line goes on where this one ends: to its right, or to its left in such scripts."""
    if isinstance(line, RuledTable) or isinstance(following, RuledTable):
        return False
    overlap = min(line.y1, following.y1) - max(line.y0, following.y0)
    smaller = min(line.y1 - line.y0, following.y1 - following.y0)
    if overlap <= _SAME_ROW_OVERLAP * smaller:
        return False
    return following.x0 >= line.x1 - 1 or (following.x1 <= line.x0 + 1 and _runs_left(line.text + following.text))


def gap_between(line: Line, following: Line) -> float:
    """The space between two lines beside each other, in font sizes."""
    size = max(line.size if len(line.text) >= len(following.text) else following.size, 1.0)
    return max(following.x0 - line.x1, line.x0 - following.x1) / size


def _runs_left(text: str) -> bool:
    return len(_FROM_RIGHT_TO_LEFT.findall(text)) * 2 > len(text.replace(" ", ""))


def _row(lines: Sequence[Line], block: int) -> Row:
    groups = [[lines[0]]]
    texts = [[lines[0].text]]
    for line, following in pairwise(lines):
        gap = gap_between(line, following)
        if gap > COLUMN_GAP:
            groups.append([following])
            texts.append([following.text])
        else:
            turns = following.x1 <= line.x0 + 1
            groups[-1].append(following)
            texts[-1].append(following.text if gap < _WORD_GAP and not turns else " " + following.text)
    cells = tuple(
        Cell(text, min(line.x0 for line in group), max(line.x1 for line in group))
        for group, pieces in zip(groups, texts, strict=True)
        if (text := clean_line("".join(pieces)))
    )
    return Row(
        " ".join(cell.text for cell in cells),
        min(line.x0 for line in lines),
        min(line.y0 for line in lines),
        max(line.x1 for line in lines),
        max(line.y1 for line in lines),
        max(lines, key=lambda line: len(line.text)).size,
        block,
        cells,
    )
