from pathlib import Path

import pytest

from rag_server.adapters.parsing.refusals import Refusal, Refused
from tests.fakes.documents import make_zip, read

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>O livro</dc:title>
<dc:creator>Ana</dc:creator><dc:language>pt</dc:language></metadata><manifest>
<item id="b" href="dois.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="cap%C3%ADtulo%201.xhtml" media-type="application/xhtml+xml"/>
<item id="img" href="x.png" media-type="image/png"/></manifest>
<spine><itemref idref="a"/><itemref idref="img"/><itemref idref="b"/></spine></package>"""
XHTML = '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><body>{}</body></html>'
BOOK = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": PACKAGE,
    "OPS/capítulo 1.xhtml": XHTML.format("<h1>Um</h1><p>Começo.</p>"),
    "OPS/dois.xhtml": XHTML.format("<h1>Dois</h1><p>Fim.</p>"),
}


def test_chapters_come_in_the_order_of_the_spine(tmp_path: Path) -> None:
    reading, pages = read(make_zip(tmp_path / "a.epub", BOOK))
    assert [page.text for page in pages] == ["Um\n\nComeço.", "Dois\n\nFim."]
    assert reading.properties == {"title": "O livro", "author": "Ana", "language": "pt"}


def test_a_missing_chapter_is_skipped_and_the_others_read(tmp_path: Path) -> None:
    without = {name: content for name, content in BOOK.items() if "dois" not in name}
    reading, pages = read(make_zip(tmp_path / "a.epub", without))
    assert reading.pages_total == 2
    assert [page.number for page in pages] == [1]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"META-INF/container.xml": "<container/>"}, Refusal.CORRUPT),
        ({"OPS/book.opf": "<package/>"}, Refusal.CORRUPT),
        (
            {"META-INF/encryption.xml": '<e><CipherReference URI="OPS/dois.xhtml"/></e>'},
            Refusal.COPY_PROTECTED,
        ),
        ({"../up.txt": "x"}, Refusal.UNSAFE_ARCHIVE),
    ],
)
def test_books_that_cannot_be_read_say_why(tmp_path: Path, changes: dict[str, str], refusal: Refusal) -> None:
    with pytest.raises(Refused) as refused:
        read(make_zip(tmp_path / "a.epub", BOOK | changes))
    assert refused.value.refusal is refusal


def test_hidden_fonts_are_no_protection(tmp_path: Path) -> None:
    hidden = {"META-INF/encryption.xml": '<e><CipherReference URI="OPS/font.otf"/></e>'}
    assert len(read(make_zip(tmp_path / "a.epub", BOOK | hidden))[1]) == 2
