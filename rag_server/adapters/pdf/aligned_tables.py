"""Tables without rules: rows whose cells stand under one another."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag_server.adapters.parsing.page_writer import CELL_SEPARATOR
from rag_server.adapters.pdf.rows import Cell, Row

# Two cells are as often a number and its title, or a name and its value, as they are a table.
_TABLE_CELLS = 3
_GOES_ON_CELLS = 2
# In row heights: rows farther apart are two tables.
_FARTHEST = 3.0
# Rows with a cell that spans them overlap so much.
_OVERLAP = 0.6


def with_tables(rows: Sequence[Row]) -> list[Row]:
    """The same rows; those of a table have their columns told apart and share a block."""
    found: list[Row] = []
    for run in _runs(rows):
        # The columns are those of the row with most cells, the first such where there are more.
        widest = max(run, key=lambda row: len(row.cells))
        found += _aligned(run, widest.cells) if len(widest.cells) >= _TABLE_CELLS else run
    return found


def _runs(rows: Sequence[Row]) -> Iterator[list[Row]]:
    run: list[Row] = []
    for row in rows:
        if run and not _goes_on(run[-1], row):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def _goes_on(row: Row, following: Row) -> bool:
    if row.columns or following.columns or min(len(row.cells), len(following.cells)) < _GOES_ON_CELLS:
        return False
    height = max(row.y1 - row.y0, 1.0)
    return -_OVERLAP * height < following.y0 - row.y1 < _FARTHEST * height


def _aligned(run: Sequence[Row], columns: Sequence[Cell]) -> Iterator[Row]:
    starts_and_ends = [(cell.x0, cell.x1) for cell in columns]
    for row in run:
        texts = [""] * len(columns)
        places = [_column(cell, starts_and_ends) for cell in row.cells]
        if len(set(places)) == len(places) and sorted(places) == places:
            for cell, place in zip(row.cells, places, strict=True):
                texts[place] = cell.text
                start, end = starts_and_ends[place]
                starts_and_ends[place] = (min(start, cell.x0), max(end, cell.x1))
        else:
            texts = [cell.text for cell in row.cells]
        while not texts[-1]:
            texts.pop()
        yield replace(row, text=CELL_SEPARATOR.join(texts), block=run[0].block, columns=tuple(texts))


def _column(cell: Cell, columns: Sequence[tuple[float, float]]) -> int:
    """The column that the cell shares most of its width with, or else the nearest one."""

    def closeness(index: int) -> float:
        start, end = columns[index]
        return min(end, cell.x1) - max(start, cell.x0)  # negative where they are apart

    return max(range(len(columns)), key=closeness)
