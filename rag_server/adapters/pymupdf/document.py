"""PDF through MuPDF."""

from typing import Any

import pymupdf

from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.pdf.engine import Line, OutlineEntry, PageLayout, PdfFacts, iso_date

# Ligatures are expanded, pictures left out, text outside the page ignored.
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE
# The library has no types.
_TOOLS: Any = pymupdf.TOOLS
_open: Any = pymupdf.open
_TEXT_BLOCK = 0
# What MuPDF says when it gives up on a page's content; it says more of what costs no text.
_DAMAGE = ("unknown filter", "zlib error", "premature end", "syntax error in content stream", "cannot decode")
_MAX_OUTLINE_ENTRIES = 20_000
_ALLOCATION_FAILED = ("malloc", "calloc", "realloc", "out of memory")


class PyMuPdfDocument:
    """An open PDF; see PdfDocument."""

    def __init__(self, source: Source) -> None:
        _TOOLS.mupdf_display_errors(on=False)
        _TOOLS.mupdf_display_warnings(on=False)
        self._data = source.mapped()
        self._view = memoryview(self._data)
        try:
            self._document = _open(stream=self._view, filetype="pdf")
        except Exception:
            self._give_back()
            raise
        if self._document.needs_pass:
            self.close()
            raise Refused(Refusal.ENCRYPTED)
        _TOOLS.reset_mupdf_warnings()
        self.facts = PdfFacts(self._document.page_count, self._properties(), self._outline())

    def layout(self, page_number: int) -> PageLayout:
        try:
            page = self._document.load_page(page_number - 1)
            content = page.get_text("dict", flags=_FLAGS)
        except RuntimeError as error:
            if any(word in str(error).lower() for word in _ALLOCATION_FAILED):
                raise MemoryError from error
            raise
        blocks = [_lines(block) for block in content["blocks"] if block["type"] == _TEXT_BLOCK]
        return PageLayout(blocks, float(content["height"]), is_damaged=_has_damage(_TOOLS.mupdf_warnings()))

    def close(self) -> None:
        self._document.close()
        self._document = None
        self._give_back()

    def _give_back(self) -> None:
        self._view.release()
        self._data.close()

    def _properties(self) -> dict[str, str]:
        metadata = self._document.metadata or {}
        return {
            "title": metadata.get("title") or "",
            "author": metadata.get("author") or "",
            "created": iso_date(metadata.get("creationDate") or ""),
            "modified": iso_date(metadata.get("modDate") or ""),
            "language": self._document.language or "",
        }

    def _outline(self) -> list[OutlineEntry]:
        try:
            entries = self._document.get_toc(simple=True)
        except (RuntimeError, ValueError, IndexError, TypeError):
            return []  # a damaged table of contents costs nothing but itself
        return [OutlineEntry(level, title, page) for level, title, page in entries[:_MAX_OUTLINE_ENTRIES]]


def _has_damage(warnings: str) -> bool:
    return any(words in warnings for words in _DAMAGE)


def _lines(block: dict[str, Any]) -> list[Line]:
    lines = []
    for line in block["lines"]:
        spans = line["spans"]
        text = "".join(span["text"] for span in spans)
        if text.strip():
            largest = max(spans, key=lambda span: len(span["text"]))
            x0, y0, x1, y1 = line["bbox"]
            lines.append(Line(text, x0, y0, x1, y1, largest["size"]))
    return lines
