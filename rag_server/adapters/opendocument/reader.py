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
from rag_server.adapters.parsing.safe_xml import iterate_xml, local_name
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
    count = 0
    for sheet in _streamed(package, "table", "table-row"):
        if local_name(sheet) == "table":
            count += 1
            budget.expect_pages(count)
            yield writer.page(count)
            continue
        _write_sheet_row(sheet, writer, budget)


def _slides(package: OpenDocumentPackage, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    blocks = BlockWriter(writer)
    count = 0
    for slide in _children_of(package, "presentation"):
        if local_name(slide) != "page":
            continue
        count += 1
        budget.expect_pages(count)
        frames = sorted(slide, key=lambda frame: attribute(frame, "class") != "title")
        for frame in frames:
            if attribute(frame, "class") == "title":
                writer.heading(1, plain_text(frame).replace("\n", " "))
            else:
                for _ in blocks.write(frame):
                    pass
        blocks.write_notes()
        yield writer.page(count)
