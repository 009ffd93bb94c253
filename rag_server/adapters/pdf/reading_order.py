"""Puts the lines of a page in the order in which people read them.

A file may draw its lines in any order. Most draw them as they are read, so that order is kept except where it cannot
be right: where it runs across columns of prose, or goes back up the page.
"""

from collections.abc import Sequence
from itertools import pairwise

from rag_server.adapters.pdf.engine import Line
from rag_server.adapters.pdf.rows import COLUMN_GAP, gap_between, is_beside

Block = Sequence[Line]

# So many rows must run across columns before anybody looks for columns.
_FEWEST_CROSSINGS = 3
_FEWEST_COLUMN_LINES = 3
# Lines of prose are so long, and most of them fill their column; cells of tables do neither.
_PROSE_CHARS = 18
_FULL_LINE = 0.8
_PROSE_SHARE = 0.5
# In line heights: lines farther apart than this begin a new block.
_BLOCK_GAP = 0.7
# Of the narrower block's width: blocks that share less stand beside each other.
_SAME_COLUMN = 0.3
_MOST_BLOCKS = 2_000
_DEEPEST = 6


def in_reading_order(blocks: Sequence[Block]) -> Sequence[Block]:
    """The blocks as they are read; an order that is plausible is not touched."""
    lines = [line for block in blocks for line in block]
    gutter = _gutter(lines)
    if gutter is not None:
        return _by_columns(lines, gutter, 0)
    return _without_jumps_back(blocks) if len(blocks) <= _MOST_BLOCKS else blocks


def blocks_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines in reading order, divided where the space between them is wide."""
    blocks: list[list[Line]] = []
    previous: Line | None = None
    for line in lines:
        tallest = max(line.y1 - line.y0, line.size)
        goes_on = previous is not None and -tallest < line.y0 - previous.y1 < _BLOCK_GAP * tallest
        if goes_on:
            blocks[-1].append(line)
        else:
            blocks.append([line])
        previous = line
    return blocks


def _gutter(lines: Sequence[Line]) -> float | None:
    """Where the white strip between two columns of prose stands, if rows run across it."""
    gaps = [
        (line.x1, following.x0)
        for line, following in pairwise(lines)
        if following.x0 > line.x1 and gap_between(line, following) > COLUMN_GAP and is_beside(line, following)
    ]
    if len(gaps) < _FEWEST_CROSSINGS:
        return None
    # The place that most of the gaps share.
    middle = max((start for start, _ in gaps), key=lambda x: sum(start <= x < end for start, end in gaps))
    shared = [(start, end) for start, end in gaps if start <= middle < end]
    gutter = (max(start for start, _ in shared) + min(end for _, end in shared)) / 2
    left = [line for line in lines if line.x1 <= gutter]
    right = [line for line in lines if line.x0 >= gutter]
    return gutter if len(shared) >= _FEWEST_CROSSINGS and _is_prose(left) and _is_prose(right) else None


def _is_prose(lines: Sequence[Line]) -> bool:
    """Whether the lines nearest to each other fill a column, as wrapped text does."""
    if len(lines) < _FEWEST_COLUMN_LINES:
        return False
    long = [line for line in lines if len(line.text) >= _PROSE_CHARS]
    if len(long) < _PROSE_SHARE * len(lines):
        return False
    widths = sorted(line.x1 - line.x0 for line in long)
    usual = widths[len(widths) * 3 // 4]
    return sum(width >= _FULL_LINE * usual for width in widths) >= _PROSE_SHARE * len(lines)


def _by_columns(lines: Sequence[Line], gutter: float, depth: int) -> list[Block]:
    """Bands between the lines that cross the gutter; in each the left column comes before the right one."""
    ordered: list[Block] = []
    crossing: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in sorted(lines, key=lambda each: (each.y0 + each.y1) / 2):
        if line.x0 < gutter < line.x1:
            ordered += [*_column(left, depth), *_column(right, depth)]
            left, right = [], []
            crossing.append(line)
        else:
            ordered += blocks_of(crossing)
            crossing = []
            (left if line.x1 <= gutter else right).append(line)
    return [*ordered, *blocks_of(crossing), *_column(left, depth), *_column(right, depth)]


def _column(lines: list[Line], depth: int) -> Sequence[Block]:
    """One column, which may be columns itself. Lines of a row are put from left to right."""
    rows: list[list[Line]] = []
    for line in lines:
        if rows and _is_same_row(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    in_rows = [line for row in rows for line in sorted(row, key=lambda each: each.x0)]
    gutter = _gutter(in_rows) if depth < _DEEPEST else None
    return blocks_of(in_rows) if gutter is None else _by_columns(in_rows, gutter, depth + 1)


def _is_same_row(line: Line, other: Line) -> bool:
    """Whether the middle of one line is at the height of the other."""
    return line.y0 < (other.y0 + other.y1) / 2 < line.y1


def _without_jumps_back(blocks: Sequence[Block]) -> Sequence[Block]:
    """A block that stands over the one before it goes before what is below it, and takes along what follows it."""
    boxes = [_box(block) for block in blocks]
    if not any(_is_over(following, box) for box, following in pairwise(boxes)):
        return blocks
    order = [0]
    at = 1  # where the next block goes
    for index in range(1, len(blocks)):
        if _is_over(boxes[index], boxes[index - 1]):
            below = (place for place, other in enumerate(order) if _is_over(boxes[index], boxes[other]))
            at = next(below, len(order))
        order.insert(at, index)
        at += 1
    return [blocks[index] for index in order]


def _box(block: Block) -> Line:
    return Line(
        "",
        min(line.x0 for line in block),
        min(line.y0 for line in block),
        max(line.x1 for line in block),
        max(line.y1 for line in block),
    )


def _is_over(box: Line, other: Line) -> bool:
    """Whether it stands wholly above, in the same column."""
    shared = min(box.x1, other.x1) - max(box.x0, other.x0)
    narrower = min(box.x1 - box.x0, other.x1 - other.x0)
    return box.y1 <= other.y0 + 1 and shared > _SAME_COLUMN * narrower
