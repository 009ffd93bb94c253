import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.refusals import Refused
from rag_server.domain.extraction import ExtractionLimits, assemble


def writer(max_text_chars: int = 10_000) -> PageWriter:
    return PageWriter(Budget(ExtractionLimits(max_text_chars=max_text_chars)))


def test_blocks_rows_and_headings_are_laid_out() -> None:
    page = writer()
    page.heading(1, "Título\n longo")
    page.paragraph("Um parágrafo.")
    page.row(["a", " b\n c", "", ""], first=True)
    page.row(["", "2"])
    page.line("item")
    done = page.page(1)
    assert done.text == "Título longo\n\nUm parágrafo.\n\na | b c\n | 2\nitem"
    assert [(h.level, h.text, h.char_start) for h in done.headings] == [(1, "Título longo", 0)]


def test_a_page_begins_anew_after_the_last() -> None:
    page = writer()
    page.paragraph("one")
    page.page(1)
    page.heading(2, "two")
    done = page.page(2)
    assert (done.text, done.headings[0].char_start) == ("two", 0)


def test_text_beyond_the_limit_is_refused_while_it_is_made() -> None:
    page = writer(max_text_chars=10)
    page.paragraph("12345678")
    with pytest.raises(Refused) as refused:
        page.paragraph("90")
    assert refused.value.detail == {"which": "max_text_chars", "asked": "12", "allowed": "10"}


@given(st.lists(st.tuples(st.sampled_from(["paragraph", "line", "heading"]), st.text(max_size=20)), max_size=12))
def test_every_heading_stands_where_it_says_and_the_page_can_be_assembled(blocks: list[tuple[str, str]]) -> None:
    page = writer()
    for kind, text in blocks:
        if kind == "heading":
            page.heading(1, text)
        else:
            getattr(page, kind)(text)
    done = page.page(1)
    assert all(done.text.startswith(heading.text, heading.char_start) for heading in done.headings)
    assert assemble([done, done]).text.count(done.text) >= 1
