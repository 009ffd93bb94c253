import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.refusals import Refused
from rag_server.domain.extraction import ExtractionLimits, Page, assemble


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


def rows_of(page: Page) -> list[tuple[str, str]]:
    return [(table.header, page.text[table.char_start : table.char_end]) for table in page.tables]


def test_the_first_row_names_the_columns_of_those_below() -> None:
    page = writer()
    page.paragraph("antes")
    page.row(["cidade", "2023", "2024"], first=True)
    page.row(["São Paulo", "1", "2"])
    page.row(["", "3", "4"])
    page.paragraph("depois")
    page.row(["nome", "valor"])
    page.row(["Ana", "10"])
    done = page.page(1)
    assert rows_of(done) == [
        ("cidade | 2023 | 2024", "São Paulo | 1 | 2\n | 3 | 4"),
        ("nome | valor", "Ana | 10"),
    ]


@pytest.mark.parametrize("first", [["12", "13"], ["Total", "10,5"], ["one cell"], ["a", "", "", "", "", "f"]])
def test_a_first_row_of_values_names_no_columns(first: list[str]) -> None:
    page = writer()
    page.row(first, first=True)
    page.row(["x", "y"])
    assert [header for header, _ in rows_of(page.page(1))] == [""]


def test_a_table_that_goes_on_keeps_its_column_names_on_the_next_page() -> None:
    page = writer()
    page.row(["nome", "valor"], first=True)
    page.row(["Ana", "1"])
    first = page.page(1)
    page.row(["Bia", "2"])
    page.end_table()
    page.row(["outra", "tabela"])
    page.row(["Eva", "3"])
    second = page.page(2)
    assert rows_of(first) == [("nome | valor", "Ana | 1")]
    assert rows_of(second) == [("nome | valor", "Bia | 2"), ("outra | tabela", "Eva | 3")]


def test_a_table_that_is_written_as_text_names_its_columns_in_its_first_line() -> None:
    page = writer()
    page.paragraph("antes")
    page.written_table("| nome | valor |\n|---|---|\n| Ana | 1 |\n| Bia | 2 |", header_lines=2)
    page.paragraph("depois")
    assert rows_of(page.page(1)) == [("| nome | valor |", "| Ana | 1 |\n| Bia | 2 |")]


@given(
    st.lists(
        st.tuples(st.sampled_from(["row", "first", "paragraph", "heading"]), st.lists(st.text(max_size=6), max_size=4)),
        max_size=20,
    )
)
def test_tables_stand_apart_in_order_and_are_made_of_whole_lines(blocks: list[tuple[str, list[str]]]) -> None:
    page = writer()
    for kind, cells in blocks:
        if kind in {"row", "first"}:
            page.row(cells, first=kind == "first")
        elif kind == "heading":
            page.heading(1, " ".join(cells))
        else:
            page.paragraph(" ".join(cells))
    done = page.page(1)
    end = 0
    for table in done.tables:
        assert end <= table.char_start < table.char_end <= len(done.text)
        assert table.char_start == 0 or done.text[table.char_start - 1] == "\n"
        assert table.char_end == len(done.text) or done.text[table.char_end] == "\n"
        end = table.char_end
