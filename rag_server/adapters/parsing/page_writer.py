"""Writes the text of a page block by block and keeps where its headings and tables stand."""

import re
from collections.abc import Iterable

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.cleaning import clean, clean_line
from rag_server.domain.chunk import COLUMN_SEPARATOR
from rag_server.domain.extraction import Heading, Page, TableRows

MAX_HEADING_CHARS = 300
MAX_HEADINGS_PER_PAGE = 5_000
MAX_TABLES_PER_PAGE = 5_000
MAX_HEADER_CHARS = 300
CELL_SEPARATOR = COLUMN_SEPARATOR
_FEWEST_COLUMNS = 2
# Values, not names; years are names of columns as often as not.
_VALUE = re.compile(r"(?!(?:19|20)\d\d$)[^\w]*\d[\d\s.,:/%+-]*[^\w]*")


class PageWriter:
    """Collects blocks until `page` hands them over as one page; then it begins the next."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._parts: list[str] = []
        self._headings: list[Heading] = []
        self._tables: list[TableRows] = []
        self._length = 0
        self._header: str | None = None  # of the table that is open, None if none is
        self._rows_start: int | None = None  # of its rows on this page

    @property
    def is_empty(self) -> bool:
        return not self._parts

    def paragraph(self, text: str) -> None:
        """Add a block with a blank line before it. Empty text adds nothing."""
        self._add_text(text, "\n\n")

    def line(self, text: str) -> None:
        """Add a block on a new line, such as a list item."""
        self._add_text(text, "\n")

    def heading(self, level: int, text: str) -> None:
        """Add a title. One too long to be a title is an ordinary paragraph."""
        title = clean_line(text)
        if not title:
            return
        self.end_table()
        start = self._add(title, "\n\n")
        if len(title) <= MAX_HEADING_CHARS and len(self._headings) < MAX_HEADINGS_PER_PAGE:
            self._headings.append(Heading(min(max(level, 1), 9), title, start))

    def row(self, cells: Iterable[str], *, first: bool = False) -> None:
        """Add a table's row on one line; empty cells at its end are left out. The first row may name the columns."""
        texts = [clean_line(cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if not any(texts):
            return
        opens = first or self._header is None
        if opens:
            self.end_table()
        start = self._add(CELL_SEPARATOR.join(texts), "\n\n" if first else "\n")
        names_columns = opens and _name_columns(texts)
        if opens:
            self._header = self._parts[-1].strip() if names_columns else ""
        if self._rows_start is None and not names_columns:
            self._rows_start = start

    def written_table(self, text: str, *, header_lines: int) -> None:
        """Add a table whose rows are lines already; the first of them names the columns."""
        block = clean(text)
        lines = block.split("\n")
        start = self._add(block, "\n\n") + sum(len(line) + 1 for line in lines[:header_lines])
        if len(lines) > header_lines:
            self._header, self._rows_start = lines[0].strip(), start
        self.end_table()

    def end_table(self) -> None:
        """What follows belongs to no table, or to another one."""
        self._keep_rows()
        self._header = None

    def page(self, number: int) -> Page:
        """Hand over what was written since the last page; a table that is open goes on."""
        self._keep_rows()
        page = Page(number, "".join(self._parts), tuple(self._headings), tuple(self._tables))
        self._parts, self._headings, self._tables, self._length = [], [], [], 0
        return page

    def _keep_rows(self) -> None:
        if self._rows_start is not None and len(self._tables) < MAX_TABLES_PER_PAGE:
            header = self._header if self._header and len(self._header) <= MAX_HEADER_CHARS else ""
            self._tables.append(TableRows(header, self._rows_start, self._length))
        self._rows_start = None

    def _add_text(self, text: str, separator: str) -> None:
        block = clean(text)
        if block:
            self.end_table()
            self._add(block, separator)

    def _add(self, block: str, separator: str) -> int:
        if not block:
            return self._length
        if self._parts:
            block = separator + block
            start = self._length + len(separator)
        else:
            block = block.lstrip("\n")
            start = 0
        self._budget.spend_text(len(block))
        self._parts.append(block)
        self._length += len(block)
        return start


def _name_columns(texts: list[str]) -> bool:
    named = [text for text in texts if text]
    return len(named) >= max(_FEWEST_COLUMNS, len(texts) // 2) and not any(_VALUE.fullmatch(text) for text in named)
