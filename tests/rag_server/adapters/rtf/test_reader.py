from pathlib import Path

import pytest

from rag_server.domain.extraction import Page
from tests.fakes.documents import read

HEAD = rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}"
STYLES = rb"{\stylesheet{\s0 Normal;}{\s1 heading 1;}{\s2\outlinelevel1 Own style;}}"


def pages_of(tmp_path: Path, body: bytes) -> list[Page]:
    path = tmp_path / "a.rtf"
    path.write_bytes(HEAD + STYLES + body + b"}")
    return read(path)[1]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"A\'e7\'e3o e rea\'e7\'e3o", "Ação e reação"),
        (rb"caf\u233 e", "café"),
        (rb"caf\u233\'3f fim", "café fim"),
        (rb"\uc0 caf\u233  fim", "café fim"),
        (rb"\u-10179?\u-8704? fim", "😀 fim"),
        (rb"{\f1\'ef\'f0} e {\f0\'e9}", "пр e é"),
        (rb"\{chaves\} e \\ barra\~fim", "{chaves} e \\ barra fim"),
        (rb"um{\v oculto}{\deleted fora} dois", "um dois"),
        (rb'{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt o elo}}', "o elo"),
        (rb"a{\*\unknown nada}{\pict\bin4 }}}}}b", "ab"),
        (rb"a{\shp{\*\shpinst{\shptxt caixa}}{\shprslt c\'f3pia}}b", "acaixab"),
        (rb"primeiro\par segundo\line dele", "primeiro\n\nsegundo\ndele"),
        ("direto: ação".encode("cp1252"), "direto: ação"),
    ],
)
def test_text_comes_out_as_written(tmp_path: Path, body: bytes, text: str) -> None:
    assert pages_of(tmp_path, body)[0].text == text


def test_styles_make_headings(tmp_path: Path) -> None:
    body = rb"\pard\s1 Cap\'edtulo I\par\pard\s2 Se\'e7\'e3o\par\pard\s0 Texto.\par"
    page = pages_of(tmp_path, body)[0]
    assert [(heading.level, heading.text) for heading in page.headings] == [(1, "Capítulo I"), (2, "Seção")]


def test_tables_are_rows_under_their_column_names(tmp_path: Path) -> None:
    row = rb"\trowd\cellx1\cellx2\pard\intbl %b\cell %b\cell\row"
    page = pages_of(tmp_path, b"antes\\par" + row % (b"Nome", b"Valor") + row % (b"Ana", b"10") + rb"\pard depois")[0]
    assert page.text == "antes\n\nNome | Valor\nAna | 10\n\ndepois"
    assert page.tables[0].header == "Nome | Valor"


def test_pages_notes_and_margins(tmp_path: Path) -> None:
    body = rb"{\header Cabe\'e7alho}{\header Cabe\'e7alho}Um{\footnote Nota.}\par\page Dois"
    assert [page.text for page in pages_of(tmp_path, body)] == ["Um\n\nNota.", "Dois\n\nCabeçalho"]


def test_what_the_file_says_about_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    info = rb"{\info{\title T\'edtulo}{\author Ana}{\creatim\yr2024\mo3\dy5\hr14\min7}}"
    path.write_bytes(HEAD + info + b"x}")
    assert read(path)[0].properties == {"title": "Título", "author": "Ana", "created": "2024-03-05T14:07:00"}


@pytest.mark.parametrize("damaged", [b"um", b"um}}}{{", b"um\\", b"{" * 50_000 + b"um"])
def test_damaged_files_give_what_they_have(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(b"{\\rtf1 " + damaged)
    assert read(path)[1][0].text == "um"
