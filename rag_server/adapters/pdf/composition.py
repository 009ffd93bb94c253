"""Rows to text: paragraphs joined, words mended, headings found by the outline or by their size."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.pdf.engine import OutlineEntry
from rag_server.adapters.pdf.hyphens import Words
from rag_server.adapters.pdf.rows import Row
from rag_server.adapters.pdf.running_heads import RawPage
from rag_server.domain.extraction import Page

_HEADING_SIZES = ((1.6, 1), (1.3, 2), (1.12, 3))  # times the body's size, and the level
_LONGEST_HEADING_CHARS = 160
_MOST_HEADING_ROWS = 3
_SHORTEST_HEADING_CHARS = 2
# A row of this share of its block's width goes on in the next row.
_FULL_ROW = 0.85
# A paragraph may go on in another block, or column, if its last row is at least so long.
_LONG_ROW_CHARS = 25
_LIST_ITEM = re.compile(
    r"(?:[•▪▸✓◦‣·*–—-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|[IVXLC]{1,6}\s*[-–—.)]|Art\.|§|Parágrafo)(?:\s|$|\d)"
)
_SENTENCE_END = tuple('.!?:;…”"')
# How Brazilian and Portuguese law names its divisions, highest first.
_LAW_DIVISION = re.compile(
    r"(?:(LIVRO|PARTE|T[ÍI]TULO|ANEXO)|(CAP[ÍI]TULO)|(SE[ÇC][ÃA]O)|(SUBSE[ÇC][ÃA]O))\s+(?:[IVXLC]+|[ÚU]NIC[AO])\b"
)
_FROM_RIGHT_TO_LEFT = re.compile("[\u05d0-\u08ff]")
_NOT_LETTERS = re.compile(r"[\W_]+")


class Composer:
    """Writes the pages of one document in order; what it has seen of the document so far helps with the next page."""

    def __init__(self, outline: Sequence[OutlineEntry], budget: Budget) -> None:
        self._writer = PageWriter(budget)
        self._words = Words()
        self._sizes: Counter[float] = Counter()
        self._levels: dict[int, dict[str, int]] = {}
        for entry in outline:
            self._levels.setdefault(entry.page_number, {}).setdefault(_letters(entry.title), entry.level)
        # The paragraph that is being written, with the row that it ends in.
        self._open = ""
        self._open_row: Row | None = None
        self._open_is_new_block = True

    def page(self, raw: RawPage) -> Page:
        """The page's text with its headings."""
        self._words.learn(row.text for row in raw.rows)
        for row in raw.rows:
            self._sizes[round(row.size, 1)] += len(row.text)
        body_size = self._sizes.most_common(1)[0][0] if self._sizes else 0.0
        for (_, _, is_table), rows in groupby(raw.rows, key=_grouping):
            if is_table:
                self._write_table(rows)
            else:
                self._write_block(list(rows), raw.number, body_size)
        self._flush()
        return self._writer.page(raw.number)

    def _write_table(self, rows: Iterable[Row]) -> None:
        self._flush()
        for index, row in enumerate(rows):
            self._writer.row(row.columns, first=index == 0)
        self._writer.end_table()

    def _write_block(self, rows: list[Row], page_number: int, body_size: float) -> None:
        level = self._heading_level(rows, page_number, body_size)
        if level:
            self._flush()
            self._writer.heading(level, " ".join(row.text for row in rows))
            return
        width = max(row.x1 for row in rows) - min(row.x0 for row in rows)
        for index, row in enumerate(rows):
            if self._goes_on_in(row, is_new_block=index == 0, width=width):
                self._open = self._words.join(self._open, row.text)
            else:
                self._begin_paragraph(row, is_new_block=index == 0)
            self._open_row = row

    def _heading_level(self, rows: list[Row], page_number: int, body_size: float) -> int:
        """0 if these rows are no heading."""
        text = " ".join(row.text for row in rows)
        if len(rows) > _MOST_HEADING_ROWS or not _SHORTEST_HEADING_CHARS <= len(text) <= _LONGEST_HEADING_CHARS:
            return 0
        if self._levels:  # the author's own table of contents knows better than any guess
            return self._levels.get(page_number, {}).get(_letters(text), 0)
        division = _LAW_DIVISION.match(text.upper())
        if division and division.lastindex:
            return division.lastindex
        ratio = rows[0].size / body_size if body_size else 0.0
        return next((level for least, level in _HEADING_SIZES if ratio >= least), 0)

    def _goes_on_in(self, row: Row, *, is_new_block: bool, width: float) -> bool:
        """Whether the open paragraph goes on in this row."""
        last = self._open_row
        if last is None or _are_pairs(last, row) or _LIST_ITEM.match(row.text):
            return False
        if self._words.is_divided(last.text, row.text):
            return True
        if not is_new_block:
            return last.x1 - last.x0 >= _FULL_ROW * width
        return (
            _starts_inside_a_sentence(row.text)
            and round(row.size) == round(last.size)
            and len(last.text) >= _LONG_ROW_CHARS
            and not last.text.endswith(_SENTENCE_END)
        )

    def _begin_paragraph(self, row: Row, *, is_new_block: bool) -> None:
        goes_with_last = self._open_row is not None and _are_pairs(self._open_row, row)
        self._flush()
        self._open = row.text
        self._open_is_new_block = is_new_block and not goes_with_last

    def _flush(self) -> None:
        if self._open_is_new_block:
            self._writer.paragraph(self._open)
        else:
            self._writer.line(self._open)
        self._open, self._open_row, self._open_is_new_block = "", None, True


def _grouping(row: Row) -> tuple[int, int, bool]:
    return row.block, 0 if row.columns else round(row.size), bool(row.columns)


def _are_pairs(row: Row, following: Row) -> bool:
    """Names and values, one below the other: no table, and no paragraph either."""
    return len(row.cells) > 1 and len(following.cells) > 1


def _starts_inside_a_sentence(text: str) -> bool:
    """A small letter, or one of a script that has no capitals and no lists of short lines here: Arabic, Hebrew."""
    return text[:1].islower() or bool(_FROM_RIGHT_TO_LEFT.match(text))


def _letters(text: str) -> str:
    return _NOT_LETTERS.sub("", text).casefold()
