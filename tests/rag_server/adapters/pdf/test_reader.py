import io
import sys
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from PIL import Image

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import PicturePage, UnreadablePage
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.pdf.reader import read_pdf
from rag_server.domain.extraction import ExtractionLimits, Page
from tests.fakes.documents import make_pdf, read, source_of

ENGINES = ["pymupdf", "pdfium"]
_open: Any = pymupdf.open  # the library has no types

_AES_256: int = vars(pymupdf)["PDF_ENCRYPT_AES_256"]

# Written by hand: no compression, no cross-reference table, so that it can be damaged on purpose.
PLAIN_PDF = b"""%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>> endobj
4 0 obj <</Length 44>> stream
BT /F 12 Tf 20 200 Td (Hello from bytes) Tj ET
endstream endobj
5 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj
trailer <</Root 1 0 R>>
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_read_the_same_text(tmp_path: Path, engine: str) -> None:
    path = make_pdf(tmp_path / "a.pdf", [[(72, 72, "Ação e reação"), (72, 200, "Outro parágrafo")], [(72, 72, "Fim")]])
    reading, pages = read(path, pdf_engine=engine)
    assert reading.pages_total == 2
    assert [page.text for page in pages] == ["Ação e reação\n\nOutro parágrafo", "Fim"]


@pytest.mark.parametrize("engine", ENGINES)
def test_lines_of_a_paragraph_are_joined_and_divided_words_mended(tmp_path: Path, engine: str) -> None:
    lines = ["O arquivo guarda os documentos da admi-", "nistração do município, qualquer que seja", "o suporte."]
    path = make_pdf(tmp_path / "a.pdf", [[(72, 72 + 13 * i, line) for i, line in enumerate(lines)]])
    _, pages = read(path, pdf_engine=engine)
    assert pages[0].text == (
        "O arquivo guarda os documentos da administração do município, qualquer que seja o suporte."
    )


def test_without_the_agpl_engine_the_other_reads_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_pdf(tmp_path / "a.pdf", [[(72, 72, "still read")]])
    monkeypatch.setitem(sys.modules, "pymupdf", None)
    assert read(path)[1][0].text == "still read"


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = [(50, 100 + 12 * i, f"left column row {i} here") for i in range(8)]
    right = [(320, 100 + 12 * i, f"right column row {i} here") for i in range(8)]
    _, pages = read(make_pdf(tmp_path / "a.pdf", [[*left, *right]]))
    assert pages[0].text.index("left column row 7") < pages[0].text.index("right column row 0")


def column(name: str, x: float, *, rows: int = 8) -> list[tuple[float, float, str]]:
    return [(x, 100 + 12 * row, f"{name} column, line {row} of words") for row in range(rows)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("names", [("left", "right"), ("first", "second", "third")])
def test_columns_that_are_drawn_row_by_row_are_read_one_after_the_other(
    tmp_path: Path, engine: str, names: tuple[str, ...]
) -> None:
    columns = [column(name, 40 + index * 540 / len(names)) for index, name in enumerate(names)]
    drawn = [line for row in zip(*columns, strict=True) for line in row]
    head = (40, 60, "A title that stands over all of the columns and is wider than any of them, as titles are")
    path = make_pdf(tmp_path / "a.pdf", [[head, *drawn]], font_size=8)
    text = read(path, pdf_engine=engine)[1][0].text
    expected = [head[2], *(line for each in columns for _, _, line in each)]
    assert [text.index(line) for line in expected] == sorted(text.index(line) for line in expected)


def test_a_title_that_is_drawn_last_is_read_first(tmp_path: Path) -> None:
    body = [(50, 200 + 60 * i, f"Parágrafo {i} com palavras bastantes para uma linha.") for i in range(4)]
    text = read(make_pdf(tmp_path / "a.pdf", [[*body, (50, 80, "O título da página")]]))[1][0].text
    assert text.startswith("O título da página")


def ruled(path: Path, cells: list[list[str]], *, font_size: float = 9) -> Path:
    """A table with all its rules; a cell's lines are drawn one after the other, cell by cell."""
    document = _open()
    page = document.new_page(width=595, height=842)
    page.insert_text((50, 60), "Antes da tabela.", fontsize=font_size)
    xs, top, height = [50, 170, 330, 540], 100, 40
    for row, texts in enumerate(cells):
        for index, text in enumerate(texts):
            for line, part in enumerate(text.split("\n")):
                page.insert_text((xs[index] + 4, top + row * height + 14 + 11 * line), part, fontsize=font_size)
    for row in range(len(cells) + 1):
        page.draw_line((xs[0], top + row * height), (xs[-1], top + row * height))
    for x in xs:
        page.draw_line((x, top), (x, top + len(cells) * height))
    page.insert_text((50, top + len(cells) * height + 40), "Depois da tabela.", fontsize=font_size)
    document.save(path)
    document.close()
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_cells_of_a_ruled_table_keep_their_lines_together(tmp_path: Path, engine: str) -> None:
    cells = [
        ["Órgão", "Competência", "Prazo"],
        ["Arquivo\nMunicipal", "guarda dos documentos\nde valor permanente", "dez anos"],
        ["Biblioteca", "", "um ano"],
    ]
    page = read(ruled(tmp_path / "a.pdf", cells), pdf_engine=engine)[1][0]
    assert page.text == (
        "Antes da tabela.\n\nÓrgão | Competência | Prazo\n"
        "Arquivo Municipal | guarda dos documentos de valor permanente | dez anos\nBiblioteca |  | um ano\n\n"
        "Depois da tabela."
    )
    assert page.tables[0].header == "Órgão | Competência | Prazo"


def test_rows_without_a_cell_keep_their_columns(tmp_path: Path) -> None:
    rows = [["Código", "Local", "Saldo", "Estado"], ["A-1", "", "12", "bom"], ["", "sala 3", "", "gasto"]]
    lines = [(72 + 120 * c, 100 + 20 * r, cell) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell]
    page = read(make_pdf(tmp_path / "a.pdf", [lines]))[1][0]
    assert page.text == "Código | Local | Saldo | Estado\nA-1 |  | 12 | bom\n | sala 3 |  | gasto"
    assert page.tables[0].header == "Código | Local | Saldo | Estado"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_without_text_is_drawn_where_pictures_are_wanted(tmp_path: Path, engine: str) -> None:
    document = _open()
    drawn = document.new_page(width=300, height=200)
    drawn.draw_rect((50, 50, 100, 100), fill=(0, 0, 0))
    document.new_page(width=300, height=200)
    document.new_page(width=300, height=200).insert_text((50, 50), "words")
    document.save(tmp_path / "a.pdf")
    document.close()
    with source_of(tmp_path / "a.pdf", pdf_engine=engine, wants_pictures=True) as source:
        picture, blank, text = read_pdf(source, Budget(ExtractionLimits())).pages
    assert isinstance(picture, PicturePage)
    with Image.open(io.BytesIO(picture.png)) as image:
        assert (image.mode, image.size) == ("L", (1250, 834 if image.height == 834 else 833))
    assert (blank, text) == (Page(2, ""), Page(3, "words"))


def test_cells_on_one_baseline_are_one_row(tmp_path: Path) -> None:
    rows = [["Produto", "Cidade", "Valor"], ["Café", "Santos", "12,50"]]
    lines = [(72 + 150 * c, 100 + 20 * r, cell) for r, row in enumerate(rows) for c, cell in enumerate(row)]
    _, pages = read(make_pdf(tmp_path / "a.pdf", [lines]))
    assert pages[0].text == "Produto | Cidade | Valor\nCafé | Santos | 12,50"


def test_large_lines_are_headings_and_the_outline_knows_better(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    document = _open()
    page = document.new_page()
    page.insert_text((72, 72), "Grande título", fontsize=24)
    page.insert_text((72, 140), "Corpo do texto com bastante letra para ser o corpo.", fontsize=11)
    page.insert_text((72, 200), "Seção do sumário", fontsize=11)
    document.save(path)
    assert [(h.level, h.text) for h in read(path)[1][0].headings] == [(1, "Grande título")]
    document.set_toc([[1, "Seção do sumário", 1]])
    document.save(tmp_path / "b.pdf")
    document.close()
    for engine in ENGINES:
        headings = read(tmp_path / "b.pdf", pdf_engine=engine)[1][0].headings
        assert [(h.level, h.text) for h in headings] == [(1, "Seção do sumário")]


def test_divisions_of_law_are_headings(tmp_path: Path) -> None:
    lines = [(72, 72, "CAPÍTULO II - DOS PRAZOS"), (72, 150, "Art. 1º O prazo é de dez dias."), (72, 220, "Seção I")]
    _, pages = read(make_pdf(tmp_path / "a.pdf", [lines]))
    assert [(h.level, h.text) for h in pages[0].headings] == [(2, "CAPÍTULO II - DOS PRAZOS"), (3, "Seção I")]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_file_says_of_itself_is_told(tmp_path: Path, engine: str) -> None:
    document = _open()
    document.new_page().insert_text((72, 72), "x")
    document.set_metadata({"title": "O título", "author": "(anonymous)", "creationDate": "D:20240229101500-03'00'"})
    document.save(tmp_path / "a.pdf")
    document.close()
    reading, _ = read(tmp_path / "a.pdf", pdf_engine=engine)
    assert reading.properties == {"title": "O título", "created": "2024-02-29T10:15:00-03:00"}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_password_is_asked_for(tmp_path: Path, engine: str) -> None:
    document = _open()
    document.new_page().insert_text((72, 72), "secret")
    document.save(tmp_path / "a.pdf", encryption=_AES_256, user_pw="x", owner_pw="y")
    document.close()
    with pytest.raises(Refused) as refused:
        read(tmp_path / "a.pdf", pdf_engine=engine)
    assert refused.value.refusal is Refusal.ENCRYPTED


def test_a_file_that_only_restricts_printing_is_read(tmp_path: Path) -> None:
    document = _open()
    document.new_page().insert_text((72, 72), "open to readers")
    document.save(tmp_path / "a.pdf", encryption=_AES_256, user_pw="", owner_pw="y")
    document.close()
    assert read(tmp_path / "a.pdf")[1][0].text == "open to readers"


def test_a_pdf_without_its_table_of_objects_is_repaired(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(PLAIN_PDF)
    assert read(tmp_path / "a.pdf")[1][0].text == "Hello from bytes"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(range(256)) * 4, PLAIN_PDF[:120]])
def test_a_ruin_is_corrupt(tmp_path: Path, engine: str, content: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(Refused) as refused:
        read(tmp_path / "a.pdf", pdf_engine=engine)
    assert refused.value.refusal is Refusal.CORRUPT


def test_a_page_tree_that_points_at_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(PLAIN_PDF.replace(b"Kids[3 0 R]", b"Kids[2 0 R]"))
    with source_of(tmp_path / "a.pdf") as source:
        pages = list(read_pdf(source, Budget(ExtractionLimits())).pages)
    assert pages == [UnreadablePage(1)]
