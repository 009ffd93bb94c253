from pathlib import Path
from typing import Any

from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tests.fakes.documents import read


def test_each_slide_is_a_page_with_title_text_table_and_notes(tmp_path: Path) -> None:
    presentation = Presentation()
    presentation.core_properties.title = "Apresentação"
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "Metas"
    slide.placeholders[1].text_frame.text = "primeira\nsegunda"
    last = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = last.shapes.add_table(2, 2, Inches(1), Inches(3), Inches(4), Inches(1)).table
    for index, text in enumerate(["a", "b", "1", "2"]):
        table.cell(index // 2, index % 2).text = text
    group = last.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1)).text_frame.text = "no grupo"
    assert last.notes_slide.notes_text_frame is not None
    last.notes_slide.notes_text_frame.text = "nota do orador"
    presentation.save(str(tmp_path / "a.pptx"))
    reading, pages = read(tmp_path / "a.pptx")
    assert [page.text for page in pages] == ["Metas\n\nprimeira\nsegunda", "no grupo\n\na | b\n1 | 2\n\nnota do orador"]
    assert [heading.text for heading in pages[0].headings] == ["Metas"]
    assert reading.properties["title"] == "Apresentação"


def test_cells_merged_downwards_are_repeated(tmp_path: Path) -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    table.cell(0, 0).text = "2025"
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(0, 1).text, table.cell(1, 1).text = "jan", "fev"
    presentation.save(str(tmp_path / "a.pptx"))
    assert read(tmp_path / "a.pptx")[1][0].text == "2025 | jan\n2025 | fev"


def test_a_chart_is_a_table_of_its_numbers(tmp_path: Path) -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    data.categories = ["Norte", "Sul"]
    data.add_series("2023", (10, 20.5))
    data.add_series("2024", (None, 7))
    place = (Inches(1), Inches(1), Inches(4), Inches(3))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Visitas"
    presentation.save(str(tmp_path / "a.pptx"))
    assert read(tmp_path / "a.pptx")[1][0].text == "Visitas\n\n | 2023 | 2024\nNorte | 10\nSul | 20.5 | 7"
