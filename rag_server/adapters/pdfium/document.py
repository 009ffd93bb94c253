"""PDF through PDFium. It tells characters and their boxes; lines and blocks are found here."""

import re
from collections.abc import Iterator
from ctypes import c_double, c_float
from itertools import islice

import pypdfium2
from pypdfium2 import raw

from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.pdf.engine import Line, OutlineEntry, PageLayout, PdfFacts, Rule, iso_date, scale_for
from rag_server.adapters.pdf.reading_order import blocks_of
from rag_server.adapters.pdf.rows import COLUMN_GAP
from rag_server.adapters.pillow.reader import png_of

# Where PDFium takes a hyphen at a line's end for a division, it leaves a mark in place of hyphen and line end.
_LINE = re.compile("[^\r\n\x02\ufffe]+[\x02\ufffe]?")
_SPACE = re.compile(r"[ \t]+")
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
            matches = [match for match in _LINE.finditer(text) if match.group().strip()]
            if has_places:
                lines = [line for match in matches for line in _lines(text_page, match, height)]
            else:
                lines = [Line(_readable(match.group()), 0, 0, len(match.group()), 0) for match in matches]
        finally:
            text_page.close()
            page.close()
        return PageLayout(blocks_of(lines), height) if has_places else PageLayout([lines])

    def rules(self, page_number: int) -> list[Rule]:
        page = self._document[page_number - 1]
        try:
            height = page.get_height()
            return list(islice(_rules(page, height), _MOST_RULES))
        finally:
            page.close()

    def picture(self, page_number: int, dpi: int, max_pixels: int) -> bytes:
        page = self._document[page_number - 1]
        try:
            width, height = page.get_size()
            scale = scale_for(width, height, dpi, max_pixels)
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


def _lines(text_page: pypdfium2.PdfTextPage, match: re.Match[str], height: float) -> Iterator[Line]:
    """The parts of a line. PDFium makes one of all that stands at one height; the columns of a table are apart."""
    stripped = match.group().rstrip()
    start = match.start() + len(stripped) - len(stripped.lstrip())
    size = raw.FPDFText_GetFontSize(text_page.raw, start)
    part_start = start
    for space in _SPACE.finditer(match.group(), start - match.start(), len(stripped)):
        before, after = match.start() + space.start() - 1, match.start() + space.end()
        gap = _char_box(text_page, after)[0] - _char_box(text_page, before)[2]
        if gap > COLUMN_GAP * max(size, 1.0):
            yield _line(text_page, match.group()[part_start - match.start() : space.start()], part_start, height)
            part_start = after
    yield _line(text_page, match.group()[part_start - match.start() : len(stripped)], part_start, height)


def _line(text_page: pypdfium2.PdfTextPage, text: str, start: int, height: float) -> Line:
    left, bottom, _, top = _char_box(text_page, start)
    _, last_bottom, right, last_top = _char_box(text_page, start + len(text) - 1)
    size = raw.FPDFText_GetFontSize(text_page.raw, start)
    return Line(_readable(text), left, height - max(top, last_top), right, height - min(bottom, last_bottom), size)


def _readable(text: str) -> str:
    return text.translate(_DIVISION_MARKS)


def _rules(page: pypdfium2.PdfPage, height: float) -> Iterator[Rule]:
    """The thin paths of a page. Letters are objects, too, and many: each is looked at for its kind only."""
    left, bottom, right, top = c_float(), c_float(), c_float(), c_float()
    for index in range(raw.FPDFPage_CountObjects(page.raw)):
        shape = raw.FPDFPage_GetObject(page.raw, index)
        is_path = raw.FPDFPageObj_GetType(shape) == raw.FPDF_PAGEOBJ_PATH
        if is_path and raw.FPDFPageObj_GetBounds(shape, left, bottom, right, top):
            rule = Rule(left.value, height - top.value, right.value, height - bottom.value)
            if rule.is_thin:
                yield rule


def _char_box(text_page: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    raw.FPDFText_GetCharBox(text_page.raw, index, left, right, bottom, top)
    return left.value, bottom.value, right.value, top.value
