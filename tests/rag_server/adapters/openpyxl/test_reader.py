import datetime as dt
from pathlib import Path

import openpyxl
import pytest

from rag_server.adapters.openpyxl.values import readable
from tests.fakes.documents import read

MOMENT = dt.datetime(2024, 3, 5, 14, 7, 9)  # noqa: DTZ001 - spreadsheets know no zones


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (MOMENT, "General", "2024-03-05 14:07:09"),
        (dt.datetime(2024, 3, 5), "mm-dd-yy", "2024-03-05"),  # noqa: DTZ001 - see above
        (MOMENT, "dd/mm/yyyy", "05/03/2024"),
        (MOMENT, "d/m/yy h:mm", "5/3/24 14:07"),
        (MOMENT, '[$-416]d "de" mmmm "de" yyyy;@', "5 de março de 2024"),
        (MOMENT, "[$-409]dddd, mmm d", "Tuesday, Mar 5"),
        (MOMENT, "hh:mm:ss AM/PM", "02:07:09 PM"),
        (MOMENT, "mm:ss", "07:09"),
        (dt.time(9, 30), "h:mm", "09:30"),
        (0.125, "0%", "12%"),
        (0.125, "0.0%", "12.5%"),
        (3.0, "0.00", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (1_234_567_890_123, "0", "1234567890123"),
        (True, "General", "TRUE"),
        ("#N/A", "General", "#N/A"),
    ],
)
def test_values_are_written_as_people_read_them(value: object, number_format: str, text: str) -> None:
    assert readable(value, number_format) == text


def test_each_sheet_is_a_page_and_each_row_a_line(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    first = workbook.active
    assert first is not None
    first.title = "Vendas"
    for row in (["cidade", "data", "valor"], ["São Paulo", dt.date(2024, 1, 31), 10.5], [], ["total", None, 10.5]):
        first.append(row)
    first["B2"].number_format = "dd/mm/yyyy"
    hidden = workbook.create_sheet("Oculta")
    hidden.sheet_state = "hidden"
    hidden["C3"] = "longe"
    workbook.create_sheet("Vazia")
    workbook.save(tmp_path / "a.xlsx")
    reading, pages = read(tmp_path / "a.xlsx")
    assert reading.pages_total == 3
    assert [page.text for page in pages] == [
        "Vendas\n\ncidade | data | valor\nSão Paulo | 31/01/2024 | 10.5\n\ntotal |  | 10.5",
        "Oculta\n\n |  | longe",
        "",
    ]
    assert pages[0].headings[0].text == "Vendas"


def test_a_sheet_that_lies_about_its_size_is_read_all_the_same(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet["XFD1048576"] = "canto"
    sheet["A1"] = "início"
    workbook.save(tmp_path / "a.xlsx")
    _, pages = read(tmp_path / "a.xlsx")
    assert "início" in pages[0].text
    assert pages[0].text.endswith("canto")


def test_a_value_merged_downwards_stands_in_each_of_its_rows(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in (["região", "cidade", "valor"], ["Sul", "Curitiba", 1], [None, "Lages", 2], [], ["x", "y", 3]):
        sheet.append(row)
    sheet.merge_cells("A2:A4")
    sheet.merge_cells("A5:B5")
    workbook.save(tmp_path / "a.xlsx")
    page = read(tmp_path / "a.xlsx")[1][0]
    assert page.text == "Sheet\n\nregião | cidade | valor\nSul | Curitiba | 1\nSul | Lages | 2\n\nx |  | 3"
    assert page.tables[0].header == "região | cidade | valor"
