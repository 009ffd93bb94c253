"""OpenDocument content to blocks of text: paragraphs, headings, lists, tables, text boxes."""

from collections.abc import Iterator

from lxml import etree

from rag_server.adapters.opendocument.inline import PAGE_BREAK, attribute, inline_of, plain_text
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.safe_xml import local_name
from rag_server.adapters.parsing.table_grid import Cell, TableGrid

_LISTS = frozenset({"list", "list-item", "list-header"})
_INSIDE = frozenset({
    "section", "text-box", "frame", "g", "index-body", "table-of-content", "index-title", "numbered-paragraph",
    "custom-shape", "rect", "ellipse", "notes", "a", "illustration-index", "bibliography", "alphabetical-index",
})  # fmt: skip
_LARGEST_SPAN = 1_000
_DEEPEST = 100


class BlockWriter:
    """Writes elements; the pages of a text end where it says."""

    def __init__(self, writer: PageWriter) -> None:
        self._writer = writer
        self._notes: list[str] = []

    def write(self, element: etree._Element, depth: int = 0) -> Iterator[None]:
        """Write one element. Yields where the page ends."""
        name = local_name(element)
        if name in {"p", "h"}:
            yield from self._write_paragraph(element, depth)
        elif name == "table":
            self._write_table(element)
        elif name == "soft-page-break":
            yield
        elif (name in _LISTS or name in _INSIDE) and depth < _DEEPEST:
            for child in element:
                yield from self.write(child, depth + 1)

    def write_notes(self) -> None:
        """Write the notes that the page refers to."""
        for note in self._notes:
            self._writer.paragraph(note)
        self._notes.clear()

    def _write_paragraph(self, paragraph: etree._Element, depth: int) -> Iterator[None]:
        inline = inline_of(paragraph)
        level = attribute(paragraph, "outline-level") if local_name(paragraph) == "h" else ""
        parent = paragraph.getparent()
        in_list = parent is not None and local_name(parent) in _LISTS
        for index, part in enumerate(inline.text.split(PAGE_BREAK)):
            if index:
                yield
            if level.isdecimal():
                self._writer.heading(int(level[:2]), part)
            elif in_list:
                self._writer.line(part.strip())
            else:
                self._writer.paragraph(part.strip())
        self._notes += inline.notes
        for box in inline.boxes:
            yield from self.write(box, depth + 1)

    def _write_table(self, table: etree._Element) -> None:
        grid, is_first = TableGrid(), True
        for row in table.iter():
            if local_name(row) == "table-row" and nearest_table(row) is table:
                self._writer.row(grid.row(cells_of(row)), first=is_first)
                is_first = False
        self._writer.end_table()


def nearest_table(row: etree._Element) -> etree._Element | None:
    """The table that a row belongs to: a cell may hold another table."""
    return next((each for each in row.iterancestors() if local_name(each) == "table"), None)


def cells_of(row: etree._Element) -> Iterator[Cell]:
    """The cells of a row; those that another one covers are left out, the grid knows them."""
    for cell in row:
        if local_name(cell) == "table-cell":
            repeated = number(cell, "number-columns-repeated")
            text = plain_text(cell)
            # Rows are filled up with thousands of empty cells.
            for _ in range(repeated if text else min(repeated, _LARGEST_SPAN)):
                yield Cell(text, number(cell, "number-columns-spanned"), number(cell, "number-rows-spanned"))


def number(element: etree._Element, name: str) -> int:
    """A count among the attributes, 1 if it is missing, with a limit."""
    value = attribute(element, name)
    return min(max(int(value), 1), _LARGEST_SPAN) if value.isdecimal() and len(value) < 10 else 1  # noqa: PLR2004 - digits
