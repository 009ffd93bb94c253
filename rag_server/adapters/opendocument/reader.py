"""OpenDocument texts, spreadsheets and presentations, read as a stream."""

from collections.abc import Iterator

from lxml import etree

from rag_server.adapters.opendocument.blocks import BlockWriter, cells_of, number
from rag_server.adapters.opendocument.inline import attribute, plain_text
from rag_server.adapters.opendocument.package import OpenDocumentPackage
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.parsing.safe_xml import forget, iterate_xml, local_name
from rag_server.adapters.parsing.table_grid import TableGrid
from rag_server.domain.extraction import Page

_MARGINS = frozenset({"header", "header-left", "header-first", "footer", "footer-left", "footer-first"})


def read_text(source: Source, budget: Budget) -> Reading:
    """One page per page that was last rendered, where the file has marks of it."""
    package = OpenDocumentPackage(source, budget)
    return Reading(_text_pages(package, budget), 0, package.properties())


def read_spreadsheet(source: Source, budget: Budget) -> Reading:
    """One page per sheet, one line per row, as the sheet shows its values."""
    package = OpenDocumentPackage(source, budget)
    return Reading(_sheets(package, budget), 0, package.properties())


def read_presentation(source: Source, budget: Budget) -> Reading:
    """One page per slide, with its notes."""
    package = OpenDocumentPackage(source, budget)
    return Reading(_slides(package, budget), 0, package.properties())


def _text_pages(package: OpenDocumentPackage, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    blocks = BlockWriter(writer)
    count = 1
    headers, footers = _margins(package)
    for header in headers:
        writer.paragraph(header)
    for element in _children_of(package, "text"):
        for _ in blocks.write(element):
            if not writer.is_empty:
                blocks.write_notes()
                yield writer.page(count)
                count += 1
                budget.expect_pages(count)
    blocks.write_notes()
    for footer in footers:
        writer.paragraph(footer)
    yield writer.page(count)


def _sheets(package: OpenDocumentPackage, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    rows = _SheetRows(writer)
    count = 0
    with package.open("content.xml") as part:
        for event, element in iterate_xml(part):
            name = local_name(element)
            if name == "table" and event == "start":
                rows = _SheetRows(writer, attribute(element, "name"))
            elif name == "table" and event == "end":
                count += 1
                budget.expect_pages(count)
                yield writer.page(count)
            elif name == "table-row" and event == "end":
                budget.alive()
                rows.write(element)
                forget(element)


class _SheetRows:
    """Writes the rows of one sheet; an empty row parts two tables."""

    def __init__(self, writer: PageWriter, title: str = "") -> None:
        self._writer = writer
        self._title = title
        self._grid = TableGrid()
        self._is_first = True

    def write(self, row: etree._Element) -> None:
        texts = self._grid.row(cells_of(row))
        if not any(texts):
            self._is_first = True
            return
        if self._title:
            self._writer.heading(1, self._title)
            self._title = ""
        for _ in range(number(row, "number-rows-repeated")):
            self._writer.row(texts, first=self._is_first)
            self._is_first = False


def _slides(package: OpenDocumentPackage, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    blocks = BlockWriter(writer)
    count = 0
    for slide in _children_of(package, "presentation"):
        if local_name(slide) != "page":
            continue
        count += 1
        budget.expect_pages(count)
        frames = sorted(slide, key=lambda frame: attribute(frame, "class") != "title")  # the title comes first
        for frame in frames:
            if attribute(frame, "class") == "title":
                writer.heading(1, plain_text(frame).replace("\n", " "))
            else:
                for _ in blocks.write(frame):
                    pass
        blocks.write_notes()
        yield writer.page(count)


def _children_of(package: OpenDocumentPackage, kind: str) -> Iterator[etree._Element]:
    """The children of office:text or office:presentation, one after the other."""
    depth = 0
    inside: int | None = None
    with package.open("content.xml") as part:
        for event, element in iterate_xml(part):
            if event == "start":
                depth += 1
                is_body = inside is None and local_name(element) == kind and _is_office(element)
                inside = depth if is_body else inside
                continue
            if inside is not None and depth == inside + 1:
                yield element
                forget(element)
            depth -= 1
    if inside is None:
        raise Refused(Refusal.CORRUPT)


def _is_office(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not None and local_name(parent) == "body"


def _margins(package: OpenDocumentPackage) -> tuple[list[str], list[str]]:
    """The page headers and footers, each once."""
    headers: dict[str, None] = {}
    footers: dict[str, None] = {}
    styles = package.tree("styles.xml")
    for element in styles.iter() if styles is not None else ():
        name = local_name(element)
        if name in _MARGINS and (text := plain_text(element)):
            (headers if name.startswith("header") else footers).setdefault(text)
    return list(headers), list(footers)
