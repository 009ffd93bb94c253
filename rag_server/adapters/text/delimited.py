"""CSV and TSV: one line per row, the header line first, the delimiter found by looking."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.text.plain import contents_as_text
from rag_server.domain.extraction import Page

_DELIMITERS = ";\t,|"
_SAMPLE_LINES = 50
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
# A quoted field that spans more lines than this is a quote that somebody forgot to close.
_MAX_FIELD_LINES = 100
_MAX_FIELD_CHARS = 131_072


def read_delimited(source: Source, budget: Budget) -> Reading:
    """The whole file as one page."""
    text = contents_as_text(source, budget).replace("\x00", "")
    return Reading(_pages(text, budget), pages_total=1)


def _pages(text: str, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    for row in _rows(text):
        writer.row(row)
    yield writer.page(1)


def _rows(text: str) -> Iterator[list[str]]:
    lines = text.splitlines(keepends=True)
    delimiter = _delimiter(lines[:_SAMPLE_LINES])
    has_quotes = '"' in text and _quotes_are_closed(lines, delimiter)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE
    # Python's own limit on a field would end the reading; the text limit counts what comes out.
    csv.field_size_limit(max(len(text), _MAX_FIELD_CHARS))
    return csv.reader(lines, delimiter=delimiter, quoting=quoting)


def _delimiter(lines: list[str]) -> str:
    """The delimiter that cuts most lines into the same number of fields, of at least two."""
    bare = [_QUOTED.sub("", line) for line in lines if line.strip()]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        counts = Counter(line.count(delimiter) for line in bare)
        counts.pop(0, None)
        if counts:
            fields, agreeing = counts.most_common(1)[0]
            score = agreeing + min(fields, 9) / 10
            if score > best_score:
                best, best_score = delimiter, score
    return best


def _quotes_are_closed(lines: list[str], delimiter: str) -> bool:
    previous = 0
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for _row in reader:
            if reader.line_num - previous > _MAX_FIELD_LINES:
                return False
            previous = reader.line_num
    except csv.Error:
        return False
    return True
