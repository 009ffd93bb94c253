"""How much of a document may still be taken out, counted where the text is made."""

from collections.abc import Callable

from rag_server.adapters.parsing.refusals import limit_exceeded
from rag_server.domain.extraction import ExtractionLimits


class Budget:
    """Counts pages and text against the limits; `alive` is called while a reader gets on inside a long page."""

    def __init__(self, limits: ExtractionLimits, alive: Callable[[], None] = lambda: None) -> None:
        self.limits = limits
        self.alive = alive
        self._text_chars = 0

    def expect_pages(self, pages: int) -> None:
        """Refuse a document with more pages than allowed before reading any of them."""
        if pages > self.limits.max_pages:
            raise limit_exceeded("max_pages", pages, self.limits.max_pages)

    def spend_text(self, chars: int) -> None:
        """Count text that was made, and show that the reader is alive."""
        self._text_chars += chars
        if self._text_chars > self.limits.max_text_chars:
            raise limit_exceeded("max_text_chars", self._text_chars, self.limits.max_text_chars)
        self.alive()

    def check_bytes(self, which: str, asked: int, allowed: int) -> None:
        """Refuse a part that is too large to be parsed in memory."""
        if asked > allowed:
            raise limit_exceeded(which, asked, allowed)
