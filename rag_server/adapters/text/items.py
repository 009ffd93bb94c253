"""Texts that come without a file: read where they are, there is nothing in them to be taken apart."""

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.media_types import MARKDOWN, PLAIN
from rag_server.adapters.text.markdown import markdown_reading
from rag_server.adapters.text.plain import pages_of_text
from rag_server.domain.extraction import Extraction, ExtractionLimits, Page

_LIMITS = ExtractionLimits()


def read_text(text: str, media_type: str) -> Extraction:
    """The text as one page: Markdown with its headings and its front matter, all else as it stands."""
    budget = Budget(_LIMITS)
    if media_type == MARKDOWN:
        reading = markdown_reading(text, budget)
        pages = tuple(page for page in reading.pages if isinstance(page, Page))
        return Extraction(MARKDOWN, pages, 1, reading.properties)
    return Extraction(PLAIN, tuple(pages_of_text(text, budget)), 1)
