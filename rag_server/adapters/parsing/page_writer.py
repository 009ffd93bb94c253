"""Writes the text of a page block by block and keeps where its headings stand."""

from collections.abc import Iterable

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.cleaning import clean, clean_line
from rag_server.domain.extraction import Heading, Page

MAX_HEADING_CHARS = 300
MAX_HEADINGS_PER_PAGE = 5_000
CELL_SEPARATOR = " | "


class PageWriter:
    """Collects blocks until `page` hands them over as one page; then it begins the next."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._parts: list[str] = []
        self._headings: list[Heading] = []
        self._length = 0

    @property
    def is_empty(self) -> bool:
        return not self._parts

    def paragraph(self, text: str) -> None:
        """Add a block with a blank line before it. Empty text adds nothing."""
        self._add(clean(text), "\n\n")

    def line(self, text: str) -> None:
        """Add a block on a new line, such as a list item."""
        self._add(clean(text), "\n")

    def heading(self, level: int, text: str) -> None:
        """Add a title. One too long to be a title is an ordinary paragraph."""
        title = clean_line(text)
        if not title:
            return
        start = self._add(title, "\n\n")
        if len(title) <= MAX_HEADING_CHARS and len(self._headings) < MAX_HEADINGS_PER_PAGE:
            self._headings.append(Heading(min(max(level, 1), 9), title, start))

    def row(self, cells: Iterable[str], *, first: bool = False) -> None:
        """Add a table's row on one line; empty cells at its end are left out."""
        texts = [clean_line(cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if any(texts):
            self._add(CELL_SEPARATOR.join(texts), "\n\n" if first else "\n")

    def page(self, number: int) -> Page:
        """Hand over what was written since the last page."""
        page = Page(number, "".join(self._parts), tuple(self._headings))
        self._parts, self._headings, self._length = [], [], 0
        return page

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
