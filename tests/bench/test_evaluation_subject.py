from bench.evaluation_data import CorpusDocument
from bench.evaluation_subject import as_page
from rag_server.adapters.selectolax.reader import parse_html


def test_a_title_is_a_title_and_markup_in_a_text_is_text() -> None:
    page = parse_html(as_page(CorpusDocument("a", "Lei <nova> & velha", "Um <b>texto</b>\n\n& outro")))
    (title, heading), paragraphs = page.css("title, h1"), page.css("p")
    assert title.text() == heading.text() == "Lei <nova> & velha"
    assert [paragraph.text() for paragraph in paragraphs] == ["Um <b>texto</b>", "& outro"]


def test_a_document_without_a_title_has_none() -> None:
    page = parse_html(as_page(CorpusDocument("a", " ", "texto \ud800")))
    assert page.css("title, h1") == []
    assert page.css("p")[0].text().startswith("texto")
