from pathlib import Path

import pytest

from rag_server.adapters.parsing.refusals import Refusal, Refused
from tests.fakes.documents import read


def text_of(tmp_path: Path, html: str | bytes) -> str:
    path = tmp_path / "a.html"
    path.write_bytes(html if isinstance(html, bytes) else html.encode())
    return read(path)[1][0].text


def test_what_a_reader_sees_is_kept_and_the_site_around_it_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<html lang='pt'><head><title>Página</title><meta name=author content=Ana><style>p{}</style></head><body>"
        "<nav>menu</nav><script>evil()</script><div hidden>x</div><p style='display: none'>y</p>"
        "<main><h1>Título</h1><p>Um <b>texto</b>\n  quebrado.<br>Nova linha.</p><ul><li>um</li><li>dois</li></ul>"
        "<pre>a\n  b</pre></main><footer>rodapé</footer></body></html>",
        encoding="utf-8",
    )
    reading, pages = read(path)
    assert pages[0].text == "Título\n\nUm texto quebrado.\nNova linha.\num\ndois\n\na\n  b"
    assert [(heading.level, heading.text) for heading in pages[0].headings] == [(1, "Título")]
    assert reading.properties == {"title": "Página", "language": "pt", "author": "Ana"}


def test_tables_come_as_rows_that_can_be_read_alone(tmp_path: Path) -> None:
    html = (
        "<table><caption>Vendas</caption><tr><th>Ano<th>Mês<th>Valor<tr><td rowspan=2>2025<td>jan<td>1"
        "<tr><td>fev<td><p>2</p><p>3</p></table><p>depois"
    )
    assert text_of(tmp_path, html) == "Vendas\n\nAno | Mês | Valor\n2025 | jan | 1\n2025 | fev | 2 3\n\ndepois"


def test_tables_that_only_arrange_the_page_are_read_as_text(tmp_path: Path) -> None:
    html = "<table><tr><td><h2>Notícia</h2><p>Corpo.</p><td><table><tr><td>a<td>b</table></table>"
    assert text_of(tmp_path, html) == "Notícia\n\nCorpo.\n\na | b"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("windows-1252", "cp1252"), ("iso-8859-1", "cp1252"), ("utf-8", "cp1252"), ("", "utf-16"), ("utf-16", "utf-8")],
)
def test_the_declared_charset_counts_if_it_is_true(tmp_path: Path, declared: str, encoding: str) -> None:
    html = f"<html><head><meta charset='{declared}'></head><body><p>Ação “não” vã – três</p></body></html>"
    assert text_of(tmp_path, html.encode(encoding)) == "Ação “não” vã – três"


def test_nesting_without_end_is_refused_before_it_costs_anything(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        text_of(tmp_path, "<html>" + "<div>" * 100_000 + "x")
    assert refused.value.refusal is Refusal.LIMIT_EXCEEDED
    assert refused.value.detail["which"] == "html_depth"


def test_unclosed_paragraphs_are_no_nesting(tmp_path: Path) -> None:
    text = text_of(tmp_path, "<html>" + "<p>parágrafo<li>item<br>" * 6_000)
    assert text.count("parágrafo") == 6_000


def test_deep_but_honest_nesting_is_read(tmp_path: Path) -> None:
    assert text_of(tmp_path, "<html>" + "<div>" * 3_000 + "fundo" + "</div>" * 3_000) == "fundo"


def test_what_a_picture_shows_is_told_and_decoration_is_not(tmp_path: Path) -> None:
    text = text_of(tmp_path, '<p>Antes <img alt="um mapa de 1890" src="a.png"> depois <img alt=""><img></p>')
    assert text == "Antes um mapa de 1890 depois"


def test_a_table_inside_a_cell_is_text_of_the_cell(tmp_path: Path) -> None:
    inner = "<table><tr><td>curto</td><td>quá</td></tr><tr><td>longo</td><td>quaá</td></tr></table>"
    rows = f"<tr><th>Ação</th><th>Tipo</th></tr><tr><td>Grasnar</td><td>{inner}</td></tr>"
    text = text_of(tmp_path, f"<table><caption>Sons</caption>{rows}</table><p>fim</p>")
    assert text == "Sons\n\nAção | Tipo\nGrasnar | curto quá longo quaá\n\nfim"
