"""Tables whose cells are ruled: the lines of text are told apart by the cell that they stand in."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag_server.adapters.parsing.cleaning import clean_line
from rag_server.adapters.pdf.engine import Line, Rule

# In points: rules so near to each other are one, or meet.
_SAME = 3.0
_SHORTEST = 8.0
_MOST_RULES = 600
_FEWEST_EDGES = 3  # of two cells
# Pages are framed, and charts have axes: a table has text in most of its cells.
_FILLED_SHARE = 0.4
# Text that is wrapped in its cell stands at the same heights as its neighbours', too: only numbers tell rows.
_VALUE = re.compile(r"\s*[-+(R$€£]*\s*\d")
_SHORT_LINE = 0.6
_LIST_LINES = 4
_LONGEST_REPEATED_CHARS = 100

_Place = tuple[int, int]  # row, column


@dataclass(frozen=True, slots=True)
class Grid:
    """The edges of a table's columns and rows, ascending, and the lying rules between the rows."""

    xs: Sequence[float]
    ys: Sequence[float]
    lying: Sequence[Rule]

    def place(self, line: Line) -> _Place | None:
        """The cell that the line stands in, None outside the table."""
        middle = (line.y0 + line.y1) / 2
        if not (self.ys[0] - 1 < middle < self.ys[-1] + 1 and self.xs[0] - _SAME < line.x0 < self.xs[-1]):
            return None
        row = bisect_right(self.ys, middle) - 1
        column = bisect_right(self.xs, line.x0 + _SAME) - 1
        return min(max(row, 0), len(self.ys) - 2), max(column, 0)

    def goes_on_below(self, place: _Place) -> bool:
        """Whether no rule parts the cell from the one below it."""
        row, column = place
        middle, y = (self.xs[column] + self.xs[column + 1]) / 2, self.ys[row + 1]
        return not any(rule.x0 <= middle <= rule.x1 and abs(rule.y0 - y) <= _SAME for rule in self.lying)


def find_grids(rules: Sequence[Rule]) -> list[Grid]:
    """The grids of at least two columns and two rows that the rules form."""
    lying = [rule for rule in rules if rule.x1 - rule.x0 >= max(_SHORTEST, rule.y1 - rule.y0)]
    standing = [rule for rule in rules if rule.y1 - rule.y0 >= max(_SHORTEST, rule.x1 - rule.x0)]
    if len(lying) + len(standing) > _MOST_RULES:
        return []
    return [grid for parts in _connected(lying, standing) if (grid := _grid(*parts)) is not None]


def rows_in(grid: Grid, lines: Iterable[Line]) -> list[list[list[Line]]]:
    """The lines of each cell, row by row; none if these are no cells of a table."""
    cells: dict[_Place, list[Line]] = {}
    for line in lines:
        place = grid.place(line)
        if place is not None:
            cells.setdefault(place, []).append(line)
    rows, columns = len(grid.ys) - 1, len(grid.xs) - 1
    filled_columns = {column for _, column in cells}
    is_sparse = len(cells) < _FILLED_SHARE * rows * columns or len(filled_columns) < _FEWEST_EDGES - 1
    if is_sparse or any(_is_list(grid, place, cell) for place, cell in cells.items()):
        return []
    table = [[cells.get((row, column), []) for column in range(columns)] for row in range(rows)]
    _repeat_downwards(grid, table)
    return [part for row in table for part in _divided(row) if any(part)]


def cell_text(lines: Sequence[Line]) -> str:
    """The text of a cell on one line."""
    return clean_line(" ".join(line.text for line in sorted(lines, key=lambda line: (round(line.y0), line.x0))))


def _connected(lying: Sequence[Rule], standing: Sequence[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Groups of rules that meet; standing ones may also go on from one another."""
    groups: list[tuple[set[int], list[Rule]]] = []  # lying ones by their index
    for upright in standing:
        met = {index for index, rule in enumerate(lying) if _meet(rule, upright)}
        group = (met, [upright])
        for other in list(groups):
            if not met.isdisjoint(other[0]) or any(_goes_on(upright, rule) for rule in other[1]):
                group = (group[0] | other[0], group[1] + other[1])
                groups.remove(other)
        groups.append(group)
    return [([lying[index] for index in sorted(indexes)], uprights) for indexes, uprights in groups]


def _goes_on(standing: Rule, other: Rule) -> bool:
    gap = max(standing.y0, other.y0) - min(standing.y1, other.y1)
    return abs(standing.x0 - other.x0) <= _SAME and gap <= _SAME


def _meet(lying: Rule, standing: Rule) -> bool:
    return (
        lying.x0 - _SAME <= standing.x0 <= lying.x1 + _SAME and standing.y0 - _SAME <= lying.y0 <= standing.y1 + _SAME
    )


def _grid(lying: Sequence[Rule], standing: Sequence[Rule]) -> Grid | None:
    if not lying:
        return None
    # The outer edges are often left without a rule.
    xs = _distinct([*(r.x0 for r in standing), min(r.x0 for r in lying), max(r.x1 for r in lying)])
    ys = _distinct([*(r.y0 for r in lying), min(r.y0 for r in standing), max(r.y1 for r in standing)])
    return Grid(xs, ys, lying) if min(len(xs), len(ys)) >= _FEWEST_EDGES else None


def _distinct(places: Iterable[float]) -> list[float]:
    distinct: list[float] = []
    for place in sorted(places):
        if not distinct or place - distinct[-1] > _SAME:
            distinct.append(place)
    return distinct


def _is_list(grid: Grid, place: _Place, cell: Sequence[Line]) -> bool:
    """Whether short lines fill the cell: then the rules frame a part of the page, and the rows in it have none."""
    width = grid.xs[place[1] + 1] - grid.xs[place[1]]
    short = sum(line.x1 - line.x0 < _SHORT_LINE * width for line in cell)
    return len(cell) >= _LIST_LINES and short > len(cell) / 2


def _repeat_downwards(grid: Grid, table: list[list[list[Line]]]) -> None:
    """A short text in a cell that spans rows stands in each of them."""
    for column in range(len(grid.xs) - 1):
        row = 0
        while row < len(table):
            last = row
            while last + 1 < len(table) and grid.goes_on_below((last, column)):
                last += 1
            spanned = [line for each in table[row : last + 1] for line in each[column]]
            if last > row and len(spanned) == 1 and len(spanned[0].text) <= _LONGEST_REPEATED_CHARS:
                for each in table[row : last + 1]:
                    each[column] = spanned
            row = last + 1


def _divided(row: list[list[Line]]) -> list[list[list[Line]]]:
    """Rows that no rule parts: values that stand at the same heights in several cells."""
    heights = [_distinct(line.y1 for line in cell) for cell in row]
    most = max(heights, key=len)
    agreeing = sum(_are_near(each, most) for each in heights)
    others_are_single = all(len(each) <= 1 or _are_near(each, most) for each in heights)
    lines = [line for cell, each in zip(row, heights, strict=True) if len(each) > 1 for line in cell]
    are_values = sum(bool(_VALUE.match(line.text)) for line in lines) >= len(lines) / 2
    if len(most) <= 1 or agreeing < _FEWEST_EDGES - 1 or not others_are_single or not are_values:
        return [row]
    return [[cell if len(each) <= 1 else _at(cell, y) for cell, each in zip(row, heights, strict=True)] for y in most]


def _at(cell: Sequence[Line], y: float) -> list[Line]:
    return [line for line in cell if abs(line.y1 - y) <= _SAME]


def _are_near(places: Sequence[float], others: Sequence[float]) -> bool:
    return len(places) == len(others) and all(abs(a - b) <= _SAME for a, b in zip(places, others, strict=True))
