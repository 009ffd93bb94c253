"""Lines that stand beside each other become one row; rows are what paragraphs and tables are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag_server.adapters.parsing.cleaning import clean_line
from rag_server.adapters.parsing.page_writer import CELL_SEPARATOR
from rag_server.adapters.pdf.engine import Line, PageLayout

# Of the smaller height: so much must overlap for two lines to stand on one row.
_SAME_ROW_OVERLAP = 0.6
# In font sizes: closer is one word, farther is the next column of a table.
_WORD_GAP = 0.12
_COLUMN_GAP = 1.2
_TABLE_CELLS = 3


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
    cells: int = 1


def rows_of(layout: PageLayout) -> list[Row]:
    """The rows of a page in reading order."""
    rows: list[Row] = []
    beside: list[Line] = []
    first_block = 0
    for block, lines in enumerate(layout.blocks):
        for line in lines:
            if beside and not (layout.height and _is_beside(beside[-1], line)):
                rows.append(_row(beside, first_block))
                beside = []
            if not beside:
                first_block = block
            beside.append(line)
    if beside:
        rows.append(_row(beside, first_block))
    return [row for row in rows if row.text]


def _is_beside(left: Line, right: Line) -> bool:
    overlap = min(left.y1, right.y1) - max(left.y0, right.y0)
    smaller = min(left.y1 - left.y0, right.y1 - right.y0)
    return overlap > _SAME_ROW_OVERLAP * smaller and right.x0 >= left.x1 - 1


def _row(lines: Sequence[Line], block: int) -> Row:
    largest = max(lines, key=lambda line: len(line.text))
    pieces = [[lines[0].text]]
    for left, right in pairwise(lines):
        gap = (right.x0 - left.x1) / max(largest.size, 1.0)
        if gap > _COLUMN_GAP:
            pieces.append([right.text])
        else:
            pieces[-1].append(right.text if gap < _WORD_GAP else " " + right.text)
    cells = [cell for cell in (clean_line("".join(piece)) for piece in pieces) if cell]
    # Two cells are as often a number and its title, or a name and its value, as they are a table.
    separator = CELL_SEPARATOR if len(cells) >= _TABLE_CELLS else " "
    return Row(
        separator.join(cells),
        min(line.x0 for line in lines),
        min(line.y0 for line in lines),
        max(line.x1 for line in lines),
        max(line.y1 for line in lines),
        largest.size,
        block,
        len(cells),
    )
