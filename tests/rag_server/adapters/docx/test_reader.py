import zipfile
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from rag_server.adapters.parsing.refusals import Refusal, Refused
from tests.fakes.documents import read


def text_of(document: Document, tmp_path: Path) -> str:
    document.save(str(tmp_path / "a.docx"))
    return "\f".join(page.text for page in read(tmp_path / "a.docx")[1])


def add_xml(document: Document, xml: str) -> None:
    element = parse_xml(xml.replace("<w:p>", f"<w:p {nsdecls('w', 'wp', 'a')}>", 1))
    document.element.body.insert(-1, element)


def test_paragraphs_headings_and_tables_come_in_their_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.title = "O título"
    document.add_heading("Manual", level=1)
    document.add_paragraph("Primeiro.")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["a", "b", "1", "2"], strict=True):
        cell.text = text
    document.add_heading("Parte", level=2)
    document.add_paragraph("Último.")
    document.save(str(tmp_path / "a.docx"))
    reading, pages = read(tmp_path / "a.docx")
    assert pages[0].text == "Manual\n\nPrimeiro.\n\na | b\n1 | 2\n\nParte\n\nÚltimo."
    assert [(h.level, h.text) for h in pages[0].headings] == [(1, "Manual"), (2, "Parte")]
    assert reading.properties["title"] == "O título"


def test_merged_cells_are_repeated_downwards(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).merge(table.cell(1, 0)).text = "2025"
    table.cell(0, 1).text, table.cell(1, 1).text = "janeiro", "fevereiro"
    assert text_of(document, tmp_path) == "2025 | janeiro\n2025 | fevereiro"


def test_numbers_that_word_only_shows_are_written_out(tmp_path: Path) -> None:
    document = docx.Document()
    for text in ("um", "dois"):
        document.add_paragraph(text, style="List Number")
    document.add_paragraph("ponto", style="List Bullet")
    assert text_of(document, tmp_path) == "1. um\n\n2. dois\n\nponto"


def test_breaks_that_were_asked_for_make_pages(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("um")
    document.add_page_break()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    document.add_paragraph("dois")
    document.add_paragraph("três").paragraph_format.page_break_before = True
    assert text_of(document, tmp_path) == "um\fdois\ftrês"


def test_breaks_that_word_rendered_count_alone_where_there_are_any(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("um")
    add_xml(document, '<w:p><w:r><w:br w:type="page"/></w:r></w:p>')
    add_xml(document, "<w:p><w:r><w:lastRenderedPageBreak/><w:t>dois</w:t></w:r></w:p>")
    add_xml(document, "<w:p><w:r><w:t>meio</w:t><w:lastRenderedPageBreak/><w:t>fim</w:t></w:r></w:p>")
    document.save(str(tmp_path / "a.docx"))
    reading, pages = read(tmp_path / "a.docx")
    assert [page.text for page in pages] == ["um", "dois\n\nmeio", "fim"]
    assert reading.pages_total == 3


def test_headers_footers_and_text_boxes_are_read_once(tmp_path: Path) -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Cabeçalho"
    document.sections[0].footer.paragraphs[0].text = "Rodapé"
    box = "<w:txbxContent><w:p><w:r><w:t>Na caixa</w:t></w:r></w:p></w:txbxContent>"
    alternate = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    )
    add_xml(document, f"<w:p><w:r><w:t>Texto</w:t></w:r><w:r>{alternate}</w:r></w:p>")
    assert text_of(document, tmp_path) == "Cabeçalho\n\nTexto\n\nNa caixa\n\nRodapé"


def test_deleted_text_stays_deleted(tmp_path: Path) -> None:
    document = docx.Document()
    add_xml(
        document,
        "<w:p><w:r><w:t>fica</w:t></w:r><w:del><w:r><w:delText>sai</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t xml:space='preserve'> entra</w:t></w:r></w:ins></w:p>",
    )
    assert text_of(document, tmp_path) == "fica entra"


def test_notes_stand_at_the_end_of_their_page(tmp_path: Path) -> None:
    document = docx.Document()
    add_xml(document, '<w:p><w:r><w:t>Com nota</w:t><w:footnoteReference w:id="2"/></w:r></w:p>')
    document.save(str(tmp_path / "plain.docx"))
    notes = (
        f"<w:footnotes {nsdecls('w')}><w:footnote w:id='0' w:type='separator'><w:p/></w:footnote>"
        "<w:footnote w:id='2'><w:p><w:r><w:t>A nota.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    relation = (
        '<Relationship Id="rIdNotes" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"'
        ' Target="footnotes.xml"/></Relationships>'
    )
    with zipfile.ZipFile(tmp_path / "plain.docx") as old, zipfile.ZipFile(tmp_path / "a.docx", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "word/_rels/document.xml.rels":
                content = content.replace(b"</Relationships>", relation.encode())
            new.writestr(name, content)
        new.writestr("word/footnotes.xml", notes)
    assert read(tmp_path / "a.docx")[1][0].text == "Com nota\n\nA nota."


@pytest.mark.parametrize("part", ["_rels/.rels", "word/document.xml"])
def test_a_package_without_its_document_is_corrupt(tmp_path: Path, part: str) -> None:
    docx.Document().save(str(tmp_path / "whole.docx"))
    with zipfile.ZipFile(tmp_path / "whole.docx") as old, zipfile.ZipFile(tmp_path / "a.docx", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"" if name == part else old.read(name))
    with pytest.raises((Refused, SyntaxError)) as raised:
        read(tmp_path / "a.docx")
    if isinstance(raised.value, Refused):
        assert raised.value.refusal is Refusal.CORRUPT
