"""PDF through PDFium. It tells characters and their boxes; lines and blocks are found here."""

import re
from ctypes import c_double
from itertools import islice

import pypdfium2
from pypdfium2 import raw

from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.pdf.engine import Line, OutlineEntry, PageLayout, PdfFacts, Rule, iso_date, scale_for
from rag_server.adapters.pdf.reading_order import blocks_of
from rag_server.adapters.pillow.reader import png_of

# Where PDFium takes a hyphen at a line's end for a division, it leaves a mark in place of hyphen and line end.
_LINE = re.compile("[^\r\n\x02\ufffe]+[\x02\ufffe]?")
_DIVISION_MARKS = str.maketrans({"\x02": "-", "\ufffe": "-"})
_MAX_OUTLINE_DEPTH = 9
_MAX_OUTLINE_ENTRIES = 20_000
_MOST_RULES = 5_000


class PdfiumDocument:
    """An open PDF; see PdfDocument."""

    def __init__(self, source: Source) -> None:
        source.file.seek(0)
        try:
            self._document = pypdfium2.PdfDocument(source.file)
        except pypdfium2.PdfiumError as error:
            if error.err_code == raw.FPDF_ERR_PASSWORD:
                raise Refused(Refusal.ENCRYPTED) from error
            raise
        self.facts = PdfFacts(len(self._document), self._properties(), self._outline())

    def layout(self, page_number: int) -> PageLayout:
        page = self._document[page_number - 1]
        text_page = page.get_textpage()
        try:
            text = text_page.get_text_range()
            height = page.get_height()
            # Characters that PDFium leaves out of the text would shift every place after them.
            has_places = len(text) == text_page.count_chars()
            lines = [
                _line(text_page, match, height) if has_places else Line(_readable(match), 0, 0, len(match.group()), 0)
                for match in _LINE.finditer(text)
                if match.group().strip()
            ]
        finally:
            text_page.close()
            page.close()
        return PageLayout(blocks_of(lines), height) if has_places else PageLayout([lines])

    def rules(self, page_number: int) -> list[Rule]:
        page = self._document[page_number - 1]
        try:
            height = page.get_height()
            paths = page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH])
            boxes = [path.get_bounds() for path in islice(paths, _MOST_RULES)]
        finally:
            page.close()
        rules = [Rule(left, height - top, right, height - bottom) for left, bottom, right, top in boxes]
        return [rule for rule in rules if rule.is_thin]

    def picture(self, page_number: int, dpi: int, max_pixels: int) -> bytes:
        page = self._document[page_number - 1]
        try:
            scale = scale_for(*page.get_size(), dpi, max_pixels)
            drawn = page.render(scale=scale, grayscale=True).to_pil()
        finally:
            page.close()
        darkest, lightest = drawn.getextrema()
        return b"" if darkest == lightest else png_of(drawn)

    def close(self) -> None:
        self._document.close()

    def _properties(self) -> dict[str, str]:
        metadata = self._document.get_metadata_dict()
        return {
            "title": metadata.get("Title", ""),
            "author": metadata.get("Author", ""),
            "created": iso_date(metadata.get("CreationDate", "")),
            "modified": iso_date(metadata.get("ModDate", "")),
        }

    def _outline(self) -> list[OutlineEntry]:
        entries: list[OutlineEntry] = []
        for bookmark in self._document.get_toc(max_depth=_MAX_OUTLINE_DEPTH):
            destination = bookmark.get_dest()
            index = destination.get_index() if destination else None
            if index is not None:
                entries.append(OutlineEntry(bookmark.level + 1, bookmark.get_title(), index + 1))
            if len(entries) >= _MAX_OUTLINE_ENTRIES:
                break
        return entries


def _line(text_page: pypdfium2.PdfTextPage, match: re.Match[str], height: float) -> Line:
    stripped = match.group().rstrip()
    start = match.start() + len(stripped) - len(stripped.lstrip())
    left, bottom, _, top = _char_box(text_page, start)
    _, last_bottom, right, last_top = _char_box(text_page, match.start() + len(stripped) - 1)
    size = raw.FPDFText_GetFontSize(text_page.raw, start)
    return Line(_readable(match), left, height - max(top, last_top), right, height - min(bottom, last_bottom), size)


def _readable(match: re.Match[str]) -> str:
    return match.group().translate(_DIVISION_MARKS)


def _char_box(text_page: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    raw.FPDFText_GetCharBox(text_page.raw, index, left, right, bottom, top)
    return left.value, bottom.value, right.value, top.value

