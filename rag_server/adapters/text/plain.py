"""Plain text: paragraphs as they stand."""

from collections.abc import Iterator

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.text.decoding import decode
from rag_server.domain.extraction import Page

# A character takes at most four bytes, so a larger file holds too much text whatever its encoding is.
_MAX_BYTES_PER_CHAR = 4


def read_plain(source: Source, budget: Budget) -> Reading:
    """The whole file as one page."""
    return Reading(pages_of_text(contents_as_text(source, budget), budget), pages_total=1)


def contents_as_text(source: Source, budget: Budget) -> str:
    """The decoded file. A file of more bytes than the allowed text can have is refused unread."""
    allowed = budget.limits.max_text_chars * _MAX_BYTES_PER_CHAR
    budget.check_bytes("text_bytes", source.size_bytes, allowed)
    return decode(source.contents())


def pages_of_text(text: str, budget: Budget) -> Iterator[Page]:
    """Text as it stands, as one page."""
    writer = PageWriter(budget)
    writer.paragraph(text)
    yield writer.page(1)
