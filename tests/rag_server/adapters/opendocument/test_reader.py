from pathlib import Path

import pytest

from rag_server.adapters.parsing.refusals import Refusal, Refused
from tests.fakes.documents import make_zip, read

TYPE = "application/vnd.oasis.opendocument."
NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "table": "table", "draw": "drawing", "presentation": "presentation",
        "style": "style", "meta": "meta", "manifest": "manifest",
    }.items()
)  # fmt: skip
META = f"""<office:document-meta {NAMES} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>
<dc:title>Título</dc:title><meta:initial-creator>Ana</meta:initial-creator><dc:creator>Bia</dc:creator>
<meta:creation-date>2024-03-05T14:07:00</meta:creation-date><dc:date>2024-04-01T00:00:00</dc:date>
<dc:language>pt-BR</dc:language></office:meta></office:document-meta>"""


def make(path: Path, kind: str, body: str, **parts: str) -> Path:
    content = f"<office:document-content {NAMES}><office:body>{body}</office:body></office:document-content>"
    return make_zip(path, {"mimetype": TYPE + kind, "content.xml": content, "meta.xml": META, **parts})


def test_a_text_keeps_headings_lists_tables_notes_and_boxes_in_order(tmp_path: Path) -> None:
    body = """<office:text><text:tracked-changes><text:p>apagado</text:p></text:tracked-changes>
    <text:h text:outline-level="2">Capítulo<text:s text:c="2"/>I</text:h>
    <text:p>Um<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Nota.</text:p></text:note-body>
    </text:note> e<text:line-break/>dois<office:annotation><text:p>comentário</text:p></office:annotation></text:p>
    <text:list><text:list-item><text:p>primeiro</text:p></text:list-item><text:list-item><text:p>segundo</text:p>
    </text:list-item></text:list>
    <table:table><table:table-row><table:table-cell><text:p>Nome</text:p></table:table-cell><table:table-cell>
    <text:p>Valor</text:p></table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>Ana</text:p>
    </table:table-cell><table:table-cell><text:p>10</text:p></table:table-cell></table:table-row></table:table>
    <text:p><draw:frame><draw:text-box><text:p>caixa</text:p></draw:text-box></draw:frame></text:p></office:text>"""
    reading, pages = read(make(tmp_path / "a.odt", "text", body))
    assert " ".join(pages[0].text.split()) == (
        "Capítulo I Um e dois primeiro segundo Nome | Valor Ana | 10 caixa 1 Nota."
    )
    assert [(heading.level, heading.text) for heading in pages[0].headings] == [(2, "Capítulo I")]
    assert pages[0].tables[0].header == "Nome | Valor"
    assert reading.properties == {
        "title": "Título",
        "author": "Ana",
        "created": "2024-03-05T14:07:00",
        "modified": "2024-04-01T00:00:00",
        "language": "pt-BR",
    }


def test_pages_are_those_last_rendered_and_margins_come_once(tmp_path: Path) -> None:
    body = """<office:text><text:p>um</text:p><text:p>do<text:soft-page-break/>is</text:p></office:text>"""
    styles = f"""<office:document-styles {NAMES}><style:header><text:p>Cabeçalho</text:p></style:header>
    <style:footer><text:p>Rodapé</text:p></style:footer><style:footer-left><text:p>Rodapé</text:p></style:footer-left>
    </office:document-styles>"""
    _, pages = read(make(tmp_path / "a.odt", "text", body, **{"styles.xml": styles}))
    assert [page.text for page in pages] == ["Cabeçalho\n\num\n\ndo", "is\n\nRodapé"]


def test_each_sheet_is_a_page_as_it_shows_its_values(tmp_path: Path) -> None:
    body = """<office:spreadsheet><table:table table:name="Vendas"><table:table-row><table:table-cell
    table:number-rows-spanned="2"><text:p>Sul</text:p></table:table-cell><table:table-cell><text:p>10,50</text:p>
    </table:table-cell></table:table-row><table:table-row><table:covered-table-cell/><table:table-cell><text:p>3</text:p>
    </table:table-cell></table:table-row><table:table-row table:number-rows-repeated="1048574"><table:table-cell
    table:number-columns-repeated="16384"/></table:table-row></table:table><table:table table:name="Vazia"/>
    <table:table table:name="Outra"><table:table-row table:number-rows-repeated="2"><table:table-cell
    table:number-columns-repeated="2"><text:p>x</text:p></table:table-cell></table:table-row></table:table>
    </office:spreadsheet>"""
    _, pages = read(make(tmp_path / "a.ods", "spreadsheet", body))
    assert [page.text for page in pages] == ["Vendas\n\nSul | 10,50\nSul | 3", "", "Outra\n\nx | x\nx | x"]


def test_each_slide_is_a_page_with_its_title_first_and_its_notes_last(tmp_path: Path) -> None:
    body = """<office:presentation><draw:page><draw:frame>
    <draw:text-box><text:p>corpo</text:p></draw:text-box></draw:frame>
    <draw:frame presentation:class="title"><draw:text-box><text:p>Metas</text:p></draw:text-box></draw:frame>
    <presentation:notes><draw:frame><draw:text-box><text:p>nota</text:p></draw:text-box></draw:frame></presentation:notes>
    </draw:page><draw:page/></office:presentation>"""
    _, pages = read(make(tmp_path / "a.odp", "presentation", body))
    assert [page.text for page in pages] == ["Metas\n\ncorpo\n\nnota", ""]
    assert pages[0].headings[0].text == "Metas"


def test_an_encrypted_file_says_so(tmp_path: Path) -> None:
    manifest = f"""<manifest:manifest {NAMES}><manifest:file-entry><manifest:encryption-data/></manifest:file-entry>
    </manifest:manifest>"""
    path = make(tmp_path / "a.odt", "text", "<office:text/>", **{"META-INF/manifest.xml": manifest})
    with pytest.raises(Refused) as refused:
        read(path)
    assert refused.value.refusal is Refusal.ENCRYPTED
