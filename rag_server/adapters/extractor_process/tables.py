"""The tables of a page as the child tells them, checked like everything it says."""

from collections.abc import Sequence
from typing import Any

from rag_server.adapters.parsing.cleaning import is_clean
from rag_server.adapters.parsing.page_writer import MAX_HEADER_CHARS
from rag_server.domain.extraction import TableRows


def checked_tables(fields: Sequence[Any], text: str) -> tuple[TableRows, ...]:
    """The tables of a page with this text.

    :raises ValueError: one stands outside the text or before the one before it, or its column names are no line.
    """
    checked: list[TableRows] = []
    end = 0
    for char_start, char_end, header in fields:
        if type(char_start) is not int or type(char_end) is not int or not end <= char_start <= char_end <= len(text):
            raise ValueError("place of a table")
        if len(header) > MAX_HEADER_CHARS or "\n" in header or header != header.strip() or not is_clean(header):
            raise ValueError("column names")
        end = char_end
        checked.append(TableRows(header, char_start, char_end))
    return tuple(checked)
