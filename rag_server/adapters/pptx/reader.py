"""PPTX: one page per slide with its title, text, tables and notes."""

from collections.abc import Iterable, Iterator

from pptx import Presentation
from pptx.shapes.autoshape import Shape
from pptx.shapes.base import BaseShape
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pptx.slide import Slide
from pptx.table import _Row
from pptx.text.text import TextFrame

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.office import OfficePackage
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.parsing.table_grid import Cell, TableGrid
from rag_server.adapters.pptx.chart import write_chart
from rag_server.domain.extraction import Page

_DEEPEST_GROUP = 20


def read_pptx(source: Source, budget: Budget) -> Reading:
    """One page per slide, hidden ones too."""
    package = OfficePackage(source, budget)
    source.file.seek(0)
    presentation = Presentation(source.file)
    count = len(presentation.slides)
    budget.expect_pages(count)
    return Reading(_pages(presentation.slides, budget), count, package.properties())


def _pages(slides: Iterable[Slide], budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    for number, slide in enumerate(slides, start=1):
        title = slide.shapes.title
        title_id = None
        if title is not None and title.has_text_frame:
            writer.heading(1, title.text_frame.text.replace("\v", " "))
            title_id = title.shape_id
        for shape in _in_reading_order(slide.shapes):
            if shape.shape_id != title_id:
                _write_shape(shape, writer, 0)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            _write_text(slide.notes_slide.notes_text_frame, writer)
        yield writer.page(number)


def _in_reading_order(shapes: Iterable[BaseShape]) -> list[BaseShape]:
    """As the eye goes, from the top and then from the left; shapes that inherit their place keep theirs in the file."""
    listed = list(shapes)
    if any(shape.top is None or shape.left is None for shape in listed):
        return listed
    return sorted(listed, key=lambda shape: (shape.top, shape.left))


def _write_shape(shape: BaseShape, writer: PageWriter, depth: int) -> None:
    if isinstance(shape, GroupShape):
        if depth < _DEEPEST_GROUP:
            for member in shape.shapes:
                _write_shape(member, writer, depth + 1)
    elif isinstance(shape, GraphicFrame) and shape.has_table:
        grid = TableGrid()
        for index, row in enumerate(shape.table.rows):
            writer.row(grid.row(_cells(row)), first=index == 0)
        writer.end_table()
    elif isinstance(shape, GraphicFrame) and shape.has_chart:
        write_chart(shape.chart, writer)
    elif isinstance(shape, Shape):
        _write_text(shape.text_frame, writer)


def _cells(row: _Row) -> Iterator[Cell]:
    for cell in row.cells:
        # The library knows the span; where it goes on, the cells are there and empty.
        is_below = cell.is_spanned and cell._tc.vMerge  # noqa: SLF001 - no public one - it tells down and right apart
        yield Cell("" if cell.is_spanned else cell.text, continues=bool(is_below and not cell._tc.hMerge))  # noqa: SLF001


def _write_text(frame: TextFrame, writer: PageWriter) -> None:
    for index, paragraph in enumerate(frame.paragraphs):
        text = paragraph.text.replace("\v", "\n").strip()
        if index:
            writer.line(text)
        else:
            writer.paragraph(text)
