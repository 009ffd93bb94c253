"""An HTML tree to blocks of text: paragraphs, headings, list items, and tables as rows."""

import re

from selectolax.lexbor import LexborNode

from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.table_grid import Cell, TableGrid
from rag_server.adapters.selectolax.walk import walk

_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_LINES = frozenset({"li", "dt", "dd", "option", "figcaption", "summary"})
_BLOCKS = frozenset({
    "p", "div", "section", "article", "main", "header", "aside", "ul", "ol", "dl", "blockquote", "pre", "table", "form",
    "fieldset", "figure", "address", "details", "hr", "body", "center", "tr", "td", "th", "tbody", "thead", "tfoot",
    "caption",
})  # fmt: skip
_CELLS = frozenset({"td", "th"})
# Tables that hold these arrange a page; they are no tables of values.
_ARRANGES = "h1, h2, h3, h4, h5, h6"
_LONGEST_ALTERNATIVE_CHARS = 300
_MOST_NAMES = 200
_LARGEST_SPAN = 1_000
_SPAN_DIGITS = 6
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACE_RUNS = re.compile(" {2,}")
_AROUND_BREAKS = re.compile(r" *\n *")


def write_blocks(root: LexborNode, writer: PageWriter) -> None:
    """Write what a reader of the page sees inside `root`."""
    blocks = _Blocks(writer)
    for node, opens in walk(root):
        if node.is_text_node:
            blocks.text(node.text_content or "")
        elif node.is_element_node and opens:
            blocks.open(node)
        elif node.is_element_node:
            blocks.close(node)
    blocks.flush()


class _Blocks:
    """Collects inline text until the block around it ends."""

    def __init__(self, writer: PageWriter) -> None:
        self._writer = writer
        self._inline: list[str] = []
        self._preformatted = 0
        # Of the table of values that is open, the outermost one.
        self._table: int | None = None
        self._tables_inside = 0
        self._grid = TableGrid()
        self._row: list[Cell] = []
        self._is_first_row = True

    def text(self, text: str) -> None:
        self._inline.append(text if self._preformatted else _SPACE.sub(" ", text))

    def open(self, node: LexborNode) -> None:
        tag = node.tag
        if tag == "br":
            self._inline.append("\n")
        elif tag == "img":
            self._inline.append(_alternative(node))
        elif self._table is not None:
            self._open_in_table(tag)
        elif tag in _BLOCKS or tag in _HEADINGS or tag in _LINES:
            self.flush()
        if tag == "pre":
            self._preformatted += 1
        elif tag == "table" and self._table is not None:
            self._tables_inside += 1
        elif tag == "table" and not _arranges(node):
            self._table, self._grid, self._is_first_row = node.mem_id, TableGrid(), True

    def close(self, node: LexborNode) -> None:
        tag = node.tag
        if tag == "pre":
            self.flush()
            self._preformatted -= 1
        elif self._table is not None:
            self._close_in_table(node)
        elif tag in _HEADINGS:
            self._writer.heading(_HEADINGS[tag], self._take())
        elif tag == "caption":
            self.flush()
        elif tag in _LINES:
            self._writer.line(self._take())
        elif tag in _BLOCKS:
            self.flush()

    def flush(self) -> None:
        if self._table is None:
            self._writer.paragraph(self._take())

    def _open_in_table(self, tag: str | None) -> None:
        if tag in _CELLS and not self._tables_inside:
            self._inline.clear()
        elif tag in _BLOCKS or tag in _LINES:
            self._inline.append(" ")

    def _close_in_table(self, node: LexborNode) -> None:
        if self._tables_inside:  # it is part of the text of a cell
            self._tables_inside -= node.tag == "table"
        elif node.tag in _CELLS:
            self._row.append(Cell(self._take(), _span(node, "colspan"), _span(node, "rowspan")))
        elif node.tag == "caption":
            self._writer.paragraph(self._take())
        elif node.tag == "tr":
            self._writer.row(self._grid.row(self._row), first=self._is_first_row)
            self._row, self._is_first_row = [], False
        elif node.mem_id == self._table:
            self._table = None
            self._writer.end_table()
            self._inline.clear()

    def _take(self) -> str:
        text = "".join(self._inline)
        self._inline.clear()
        return text if self._preformatted else _AROUND_BREAKS.sub("\n", _SPACE_RUNS.sub(" ", text)).strip()


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "").strip()
    return min(max(int(value), 1), _LARGEST_SPAN) if value.isdecimal() and len(value) < _SPAN_DIGITS else 1


def _alternative(image: LexborNode) -> str:
    """What a picture shows, for those who do not see it; decoration has none."""
    return f" {(image.attributes.get('alt') or '').strip()[:_LONGEST_ALTERNATIVE_CHARS]} "


def _arranges(table: LexborNode) -> bool:
    """Whether a table lays out a page: it holds titles, or other tables without naming columns of its own."""
    if table.css_first(_ARRANGES) is not None:
        return True
    has_tables = any(node.mem_id != table.mem_id for node in table.css("table"))
    return has_tables and not any(_own_table(cell) == table.mem_id for cell in table.css("th")[:_MOST_NAMES])


def _own_table(cell: LexborNode) -> int | None:
    node = cell.parent
    while node is not None and node.tag != "table":
        node = node.parent
    return None if node is None else node.mem_id
