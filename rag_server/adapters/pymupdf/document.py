"""PDF through MuPDF."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pymupdf

from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.pdf.engine import Line, OutlineEntry, PageLayout, PdfFacts, Rule, iso_date, scale_for
from rag_server.adapters.pymupdf.right_to_left import has_arabic, line_text

# Ligatures are expanded, pictures left out, text outside the page ignored.
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE
# The library has no types.
_TOOLS: Any = pymupdf.TOOLS
_open: Any = pymupdf.open
_matrix: Any = pymupdf.Matrix
_TEXT_BLOCK = 0
_CONTENT = {False: "text", True: "chars"}
_MOST_RULES = 5_000
# Pages that draw more are maps and charts; their lines would fill the memory and rule no table.
_MOST_CONTENT_BYTES = 1_000_000
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
            if has_arabic(_sample(content)):
                content = page.get_text("rawdict", flags=_FLAGS)
        except RuntimeError as error:
            if any(word in str(error).lower() for word in _ALLOCATION_FAILED):
                raise MemoryError from error
            raise
        blocks = [_lines(block) for block in content["blocks"] if block["type"] == _TEXT_BLOCK]
        return PageLayout(
            [lines for lines in blocks if lines],
            float(content["height"]),
            is_damaged=_has_damage(_TOOLS.mupdf_warnings()),
        )

    def rules(self, page_number: int) -> list[Rule]:
        page = self._document.load_page(page_number - 1)
        if len(page.read_contents()) > _MOST_CONTENT_BYTES:
            return []
        rules = (rule for drawing in page.get_cdrawings() for rule in _rules(drawing))
        return list(islice(rules, _MOST_RULES))

    def picture(self, page_number: int, dpi: int, max_pixels: int) -> bytes:
        page = self._document.load_page(page_number - 1)
        scale = scale_for(page.rect.width, page.rect.height, dpi, max_pixels)
        drawn = page.get_pixmap(matrix=_matrix(scale, scale), colorspace=pymupdf.csGRAY, alpha=False)
        return b"" if drawn.is_unicolor else bytes(drawn.tobytes("png"))

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


def _sample(content: dict[str, Any]) -> str:
    """The first letters of each line."""
    lines = (line for block in content["blocks"] if block["type"] == _TEXT_BLOCK for line in block["lines"])
    return "".join(line["spans"][0]["text"][:2] for line in lines if line["spans"])


def _rules(drawing: dict[str, Any]) -> Iterator[Rule]:
    """The thin lines of one drawing: strokes, narrow boxes, and the edges of boxes that are not filled."""
    for kind, *points in drawing["items"]:
        if kind == "l":
            (ax, ay), (bx, by) = points[0], points[1]
            box = Rule(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
        elif kind == "re":
            box = Rule(*points[0])
        else:
            continue
        if box.is_thin:
            yield box
        elif kind == "re" and drawing["type"] == "s":
            yield from box.edges()


def _has_damage(warnings: str) -> bool:
    return any(words in warnings for words in _DAMAGE)


def _lines(block: dict[str, Any]) -> list[Line]:
    lines = []
    for line in block["lines"]:
        spans = line["spans"]
        if not spans:
            continue
        is_raw = "chars" in spans[0]
        text = line_text(spans) if is_raw else "".join(span["text"] for span in spans)
        if text.strip():
            largest = spans[0] if len(spans) == 1 else max(spans, key=lambda span: len(span[_CONTENT[is_raw]]))
            x0, y0, x1, y1 = line["bbox"]
            lines.append(Line(text, x0, y0, x1, y1, largest["size"]))
    return lines
