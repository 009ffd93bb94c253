"""PDF: two engines behind one reader. Where one fails or finds no text, the other is tried."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import DamagedPage, PicturePage, Reading, ReadPage, Source, UnreadablePage
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.pdf.composition import Composer
from rag_server.adapters.pdf.engine import PdfDocument
from rag_server.adapters.pdf.page_rows import page_rows
from rag_server.adapters.pdf.running_heads import RawPage, without_running_heads
from rag_server.domain.extraction import Page

# What recognising text needs; a large page is drawn at less.
RESOLUTION_DPI = 300
MAX_PIXELS = 16_000_000
PYMUPDF = "pymupdf"
PDFIUM = "pdfium"
# What programs write where their user wrote nothing.
_NOT_SAID = frozenset({"", "untitled", "(anonymous)", "anonymous", "(unspecified)", "unknown", "unnamed"})
# Loaded when first used, so that the AGPL engine is never loaded where it is not wanted.
_CLASSES = {
    PYMUPDF: ("rag_server.adapters.pymupdf.document", "PyMuPdfDocument"),
    PDFIUM: ("rag_server.adapters.pdfium.document", "PdfiumDocument"),
}


def read_pdf(source: Source, budget: Budget) -> Reading:
    """One page per page."""
    engines = Engines(source)
    facts = engines.first.facts
    budget.expect_pages(facts.page_count)
    properties = {name: value for name, value in facts.properties.items() if value.lower() not in _NOT_SAID}
    return Reading(_closing(engines, budget, wants_pictures=source.wants_pictures), facts.page_count, properties)


class Engines:
    """The engines that can open this file, in the order in which they are asked. There is at least one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._names = _engine_names(source.pdf_engine)
        self._documents: list[PdfDocument] = []
        if not self._open_next():
            raise Refused(Refusal.CORRUPT)

    @property
    def first(self) -> PdfDocument:
        return self._documents[0]

    @property
    def second(self) -> PdfDocument | None:
        """The other engine's view of the same file, if there is another that can open it."""
        if len(self._documents) == 1:
            self._open_next()
        return self._documents[1] if len(self._documents) > 1 else None

    def close(self) -> None:
        for document in self._documents:
            document.close()

    def _open_next(self) -> bool:
        while self._names:
            module, name = _CLASSES[self._names.pop(0)]
            try:
                document = cast("PdfDocument", getattr(import_module(module), name)(self._source))
            except (Refused, MemoryError):
                if self._documents:
                    return False
                raise
            except Exception:  # noqa: BLE001, S112 - whatever the library says of damaged bytes, the other is asked
                continue
            if document.facts.page_count:
                self._documents.append(document)
                return True
        return False


def _engine_names(preferred: str) -> list[str]:
    return [PYMUPDF, PDFIUM] if preferred == PYMUPDF and find_spec("pymupdf") else [PDFIUM]


def _closing(engines: Engines, budget: Budget, *, wants_pictures: bool) -> Iterator[ReadPage]:
    try:
        for page in _pages(engines, budget):
            yield _as_picture(engines.first, page) if wants_pictures and not _has_text(page) else page
    finally:
        engines.close()


def _as_picture(document: PdfDocument, page: ReadPage) -> ReadPage:
    """The picture of a page without text; a page that is blank, or cannot be drawn, stays as it is."""
    number = page.page.number if isinstance(page, DamagedPage) else page.number
    try:
        png = document.picture(number, RESOLUTION_DPI, MAX_PIXELS)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever the library says of a damaged page, the others are read
        return page
    return PicturePage(number, png) if png else page


def _pages(engines: Engines, budget: Budget) -> Iterator[ReadPage]:
    """Empty pages are held back until one has text: without any, the other engine reads the document again."""
    held_back: list[ReadPage] = []
    has_text = False
    for page in _composed(engines.first, engines, budget):
        has_text = has_text or _has_text(page)
        if has_text:
            yield from held_back
            held_back.clear()
            yield page
        else:
            held_back.append(page)
    if has_text:
        return
    second = engines.second
    yield from held_back if second is None else _composed(second, None, budget)


def _has_text(read: ReadPage) -> bool:
    page = read.page if isinstance(read, DamagedPage) else read
    return isinstance(page, Page) and bool(page.text)


def _composed(document: PdfDocument, engines: Engines | None, budget: Budget) -> Iterator[ReadPage]:
    composer = Composer(document.facts.outline, budget)
    unreadable: set[int] = set()
    raw_pages = _raw_pages(document, engines, unreadable, budget)
    for raw in without_running_heads(raw_pages, document.facts.page_count):
        if raw.number in unreadable:
            yield UnreadablePage(raw.number)
        else:
            page = composer.page(raw)
            yield DamagedPage(page) if raw.is_damaged else page


def _raw_pages(
    document: PdfDocument, engines: Engines | None, unreadable: set[int], budget: Budget
) -> Iterator[RawPage]:
    for number in range(1, document.facts.page_count + 1):
        budget.alive()
        page = _raw_page(document, number)
        if page is None and engines is not None and engines.second is not None:
            page = _raw_page(engines.second, number)
        if page is None:
            unreadable.add(number)
        yield page or RawPage(number, (), 0.0)


def _raw_page(document: PdfDocument, number: int) -> RawPage | None:
    """None if the engine cannot read the page."""
    if number > document.facts.page_count:
        return None
    try:
        layout = document.layout(number)
        rows = page_rows(document, layout, number)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever the library says of a damaged page, the others are read
        return None
    return RawPage(number, rows, layout.height, layout.is_damaged)
