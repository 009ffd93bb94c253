"""Makes the PDF and the DOCX in samples/ from what stands beside this file: `python docs/samples/make_samples.py`."""
# ruff: noqa: INP001 - a script beside documents, not a package

import datetime as dt
from pathlib import Path
from typing import Any

import docx
import pymupdf
from docx.document import Document

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "samples"
PAGE = (0, 0, 420, 595)  # A5 in points
TEXT_AREA = (48, 56, 372, 540)
STYLE = "* {font-family: serif; font-size: 11px} h1 {font-size: 20px} h2 {font-size: 14px} p {text-align: justify}"
DATE = dt.datetime(2025, 3, 14, 12, 0, tzinfo=dt.UTC)


def make_regulation() -> None:
    """A regulation of several pages, with running heads and page numbers."""
    path = SAMPLES / "regulamento-do-arquivo.pdf"
    library: Any = pymupdf
    story = library.Story((HERE / "regulamento.html").read_text(encoding="utf-8"), user_css=STYLE)
    writer = library.DocumentWriter(path.with_suffix(".part"))
    more = 1
    while more:
        device = writer.begin_page(library.Rect(PAGE))
        more, _ = story.place(library.Rect(TEXT_AREA))
        story.draw(device)
        writer.end_page()
    writer.close()
    document = library.open(path.with_suffix(".part"), filetype="pdf")
    for number, page in enumerate(document, start=1):
        page.insert_text((48, 40), "Prefeitura de Vila Serena — Arquivo Municipal", fontname="tiit", fontsize=8)
        page.insert_text((200, 566), f"{number} / {document.page_count}", fontname="tiro", fontsize=8)
    document.set_metadata(
        {
            "title": "Regulamento do Arquivo Municipal de Vila Serena",
            "author": "Conselho Municipal de Cultura de Vila Serena",
            "creationDate": DATE.strftime("D:%Y%m%d%H%M%SZ"),
            "modDate": DATE.strftime("D:%Y%m%d%H%M%SZ"),
        }
    )
    document.set_language("pt-BR")
    document.subset_fonts()
    document.save(path, garbage=4, deflate=True, no_new_id=True)
    document.close()
    path.with_suffix(".part").unlink()


def make_manual() -> None:
    """A manual written as Markdown of the simplest kind: #, |, - and paragraphs."""
    document = docx.Document()
    document.core_properties.title = "Manual de atendimento da Biblioteca Comunitária Aurora"
    document.core_properties.author = "Associação de Moradores do Bairro Aurora"
    document.core_properties.language = "pt-BR"
    document.core_properties.created = document.core_properties.modified = DATE.replace(tzinfo=None)
    rows: list[list[str]] = []
    for line in [*(HERE / "manual.txt").read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            add_table(document, rows)
            rows = []
        if line.startswith("#"):
            document.add_heading(line.lstrip("# "), level=len(line) - len(line.lstrip("#")))
        elif line.startswith("- "):
            document.add_paragraph(line[2:], style="List Bullet")
        elif line == "---":
            document.add_page_break()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        elif line:
            document.add_paragraph(line)
    document.save(str(SAMPLES / "manual-da-biblioteca.docx"))


def add_table(document: Document, rows: list[list[str]]) -> None:
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text


if __name__ == "__main__":
    make_regulation()
    make_manual()
