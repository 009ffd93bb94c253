"""XLSX: one page per sheet, one line per row, in constant memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import openpyxl

from rag_server.adapters.openpyxl.merged_cells import MergedRows, read_ranges
from rag_server.adapters.openpyxl.values import readable
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.office import OfficePackage
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.domain.extraction import Page

if TYPE_CHECKING:
    from openpyxl.cell import Cell, MergedCell  # as the stubs say; read-only cells look the same
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet


def read_xlsx(source: Source, budget: Budget) -> Reading:
    """One page per sheet of cells, hidden ones too, with the sheet's name as heading."""
    package = OfficePackage(source, budget)
    source.file.seek(0)
    workbook = openpyxl.load_workbook(source.file, read_only=True, data_only=True, keep_links=False)
    count = len(workbook.worksheets)
    budget.expect_pages(count)
    return Reading(_pages(package, workbook, budget), count, package.properties())


def _pages(package: OfficePackage, workbook: "Workbook", budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    for number, sheet in enumerate(workbook.worksheets, start=1):
        # Files lie about their size; without it the rows are read as they come.
        sheet.reset_dimensions()
        is_first, title_written = True, False
        merged = _merged_rows(package, sheet)
        for row_number, row in enumerate(sheet.iter_rows(), start=1):
            budget.alive()
            cells = [_text(cell) for cell in row]
            merged.fill(row_number, cells)
            if not any(cells):
                is_first = True  # an empty row parts two tables
                continue
            if not title_written:
                writer.heading(1, sheet.title)
                title_written = True
            writer.row(cells, first=is_first)
            is_first = False
        yield writer.page(number)


def _merged_rows(package: OfficePackage, sheet: "Worksheet") -> MergedRows:
    part: str = vars(sheet)["_worksheet_path"]  # the library keeps to itself where a sheet that is streamed stands
    with package.open(part) as stream:
        return MergedRows(read_ranges(stream))


def _text(cell: "Cell | MergedCell") -> str:
    value = cell.value
    if value is None or isinstance(value, str):
        return value or ""  # looking up the format of each would double the time
    return readable(value, cell.number_format)
