"""From the layout of a page to its rows in reading order, with those of tables told apart."""

from collections.abc import Sequence
from itertools import pairwise

from rag_server.adapters.parsing.page_writer import CELL_SEPARATOR
from rag_server.adapters.pdf.aligned_tables import with_tables
from rag_server.adapters.pdf.engine import Line, PageLayout, PdfDocument
from rag_server.adapters.pdf.reading_order import Block, in_reading_order
from rag_server.adapters.pdf.rows import COLUMN_GAP, Row, RuledTable, gap_between, is_beside, rows_of
from rag_server.adapters.pdf.ruled_tables import Grid, cell_text, find_grids, rows_in

# So many lines beside others, with a gap between them, are a sign of a table; fewer are a head or a signature.
_FEWEST_BESIDE = 3
# Pages of more are made by machines: no columns or tables are looked for there.
_MOST_LINES = 3_000
_MOST_GRIDS = 50


def page_rows(document: PdfDocument, layout: PageLayout, page_number: int) -> list[Row]:
    """The rows of a page as people read them."""
    if not layout.height:
        return rows_of(layout.blocks, has_places=False)
    blocks = layout.blocks
    if sum(map(len, blocks)) > _MOST_LINES:
        return rows_of(blocks)
    if _shows_signs_of_a_table(blocks):
        for grid in find_grids(document.rules(page_number))[:_MOST_GRIDS]:
            blocks = _with_table(blocks, grid)
    return with_tables(rows_of(in_reading_order(blocks)))


def _shows_signs_of_a_table(blocks: Sequence[Block]) -> bool:
    """Whether lines stand at the same height with a gap between them, wherever they are in the file's order."""
    lines = sorted((line for block in blocks for line in block), key=lambda line: (round(line.y1), line.x0))
    beside = 0
    for line, following in pairwise(lines):
        if following.x0 > line.x1 and is_beside(line, following) and gap_between(line, following) > COLUMN_GAP / 2:
            beside += 1
            if beside >= _FEWEST_BESIDE:
                return True
    return False


def _with_table(blocks: Sequence[Block], grid: Grid) -> Sequence[Block]:
    """The blocks with the lines inside the grid taken out; the table stands where the first of them stood."""
    inside = [line for block in blocks for line in block if grid.place(line) is not None]
    if any(isinstance(line, RuledTable) for line in inside):
        return blocks  # a grid inside a table is a table in a cell
    rows = rows_in(grid, inside)
    if not rows:
        return blocks
    table = _table([row for cells in rows if (row := _row(cells)).text])
    taken = set(map(id, inside))
    changed: list[Block] = []
    for block in blocks:
        first = next((index for index, line in enumerate(block) if id(line) in taken), None)
        if first is None:
            changed.append(block)
            continue
        rest = [line for line in block[first:] if id(line) not in taken]
        is_place = id(inside[0]) in map(id, block)
        changed += [part for part in (block[:first], [table] if is_place else [], rest) if part]
    return changed


def _row(cells: Sequence[Sequence[Line]]) -> Row:
    texts = [cell_text(cell) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    lines = [line for cell in cells for line in cell]
    return Row(
        CELL_SEPARATOR.join(texts),
        min(line.x0 for line in lines),
        min(line.y0 for line in lines),
        max(line.x1 for line in lines),
        max(line.y1 for line in lines),
        max(lines, key=lambda line: len(line.text)).size,
        0,
        columns=tuple(texts),
    )


def _table(rows: Sequence[Row]) -> RuledTable:
    return RuledTable(
        "",
        min(row.x0 for row in rows),
        min(row.y0 for row in rows),
        max(row.x1 for row in rows),
        max(row.y1 for row in rows),
        rows=tuple(rows),
    )
