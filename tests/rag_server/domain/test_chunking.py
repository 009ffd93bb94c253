import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag_server.domain.chunk import Chunk
from rag_server.domain.chunking import ChunkLimits, split
from rag_server.domain.extraction import DocumentText, Heading, Page, TableRows, assemble

LIMITS = ChunkLimits(max_tokens=32, overlap_tokens=0, min_tokens=8)
_PIECES = re.compile(r"\w{1,4}|[^\w\s]")


def offsets(text: str) -> NDArray[np.int32]:
    """A tokenizer of this file's own: pieces of up to four letters, and marks."""
    spans = [match.span() for match in _PIECES.finditer(text)]
    return np.array(spans, np.int32).reshape(-1, 2)


def tokens(text: str) -> int:
    return len(offsets(text))


def plain(text: str, *headings: Heading) -> DocumentText:
    return assemble([Page(1, text, headings)])


def chunks_of(text: str, limits: ChunkLimits = LIMITS, *headings: Heading) -> list[Chunk]:
    return split(plain(text, *headings), offsets(text), limits)


words = st.text("abcdefgáç", min_size=1, max_size=9)
marks = st.sampled_from(
    [" ", " ", " ", ". ", "! ", "\n", "\n\n", ", ", "   ", "\n \n", "? ", ".\n", "。", "\u200b", "x" * 90]
)
texts = st.lists(st.tuples(words, marks), max_size=120).map(lambda parts: "".join(w + m for w, m in parts))
cells = st.sampled_from(["Ação.", "fim", "|", "12", "E mais", "x" * 40])
table_rows = st.lists(cells, min_size=1, max_size=9).map(" ".join)
limit_sets = st.builds(
    ChunkLimits, max_tokens=st.integers(16, 60), overlap_tokens=st.integers(0, 4), min_tokens=st.integers(0, 4)
)


@st.composite
def documents(draw: st.DrawFn) -> DocumentText:
    pages = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        text, headings, tables = "", [], []
        for _ in range(draw(st.integers(0, 4))):
            if draw(st.booleans()):
                title = draw(words)
                headings.append(Heading(draw(st.integers(1, 3)), title, len(text)))
                text += title + "\n"
            text += draw(texts)
            if draw(st.booleans()):
                header = draw(st.lists(words, min_size=2, max_size=4).map(" | ".join))
                rows = "\n".join(draw(st.lists(table_rows, min_size=1, max_size=6)))
                start = len(text) + len(header) + 1
                told = draw(st.sampled_from([header, "", "elsewhere | named"]))
                tables.append(TableRows(told, start, start + len(rows)))
                text += f"{header}\n{rows}\n\n"
        pages.append(Page(number, text, tuple(headings), tuple(tables)))
    return assemble(pages)


@given(documents(), limit_sets)
def test_every_character_that_is_not_space_is_in_a_chunk(document: DocumentText, limits: ChunkLimits) -> None:
    covered = np.zeros(len(document.text), bool)
    for chunk in split(document, offsets(document.text), limits):
        covered[chunk.char_start : chunk.char_end] = True
    assert "".join(c for c, seen in zip(document.text, covered, strict=True) if not seen).strip() == ""


@given(documents(), limit_sets)
def test_a_chunk_is_the_text_at_its_offsets_without_space_around(document: DocumentText, limits: ChunkLimits) -> None:
    for ordinal, chunk in enumerate(split(document, offsets(document.text), limits)):
        assert chunk.ordinal == ordinal
        assert chunk.text == document.text[chunk.char_start : chunk.char_end] == chunk.text.strip() != ""
        assert (chunk.page_first, chunk.page_last) == (
            document.page_at(chunk.char_start),
            document.page_at(chunk.char_end - 1),
        )


@given(documents(), limit_sets)
def test_chunks_keep_the_order_of_the_text(document: DocumentText, limits: ChunkLimits) -> None:
    for before, after in pairwise(split(document, offsets(document.text), limits)):
        assert before.char_start < after.char_start
        assert before.char_end < after.char_end


@given(documents(), limit_sets)
def test_no_chunk_passes_the_limit_with_its_heading(document: DocumentText, limits: ChunkLimits) -> None:
    whole = offsets(document.text)
    for chunk in split(document, whole, limits):
        touched = int(np.sum((whole[:, 1] > chunk.char_start) & (whole[:, 0] < chunk.char_end)))
        titles = chunk.embedded_text.removesuffix(chunk.text)
        assert touched + tokens(titles) <= limits.max_tokens


@given(documents(), limit_sets)
def test_the_overlap_stays_small_and_inside_its_section(document: DocumentText, limits: ChunkLimits) -> None:
    for before, after in pairwise(split(document, offsets(document.text), limits)):
        shared = document.text[after.char_start : before.char_end]
        assert tokens(shared) <= limits.overlap_tokens
        if shared:
            assert not any(after.char_start < heading.char_start <= before.char_end for heading in document.headings)


@given(st.lists(st.integers(1, 25), min_size=1, max_size=30))
def test_no_sentence_that_fits_is_cut(lengths: list[int]) -> None:
    sentences = ["Aaa " + "bbb " * (length - 1) + "ccc." for length in lengths]
    chunks = chunks_of(" ".join(sentences))
    assert " ".join(chunk.text for chunk in chunks) == " ".join(sentences)
    assert all(chunk.text.endswith("ccc.") for chunk in chunks)


@given(st.integers(1, 400))
def test_a_section_leaves_no_tiny_tail(count: int) -> None:
    chunks = chunks_of("bbb " * count)
    assert len(chunks) == 1 or all(tokens(chunk.text) >= LIMITS.min_tokens for chunk in chunks)


def test_paragraphs_are_kept_whole_where_they_fit() -> None:
    paragraph = "Um dois tres. Bom dia aos seis. Mais um fim."
    text = "\n\n".join([paragraph] * 6)
    assert all(chunk.text.endswith("fim.") and chunk.text.startswith("Um") for chunk in chunks_of(text))


def test_a_page_end_inside_a_sentence_is_no_paragraph() -> None:
    pages = [Page(1, "Aaa bbb ccc. " * 4 + "Eee fff ggg"), Page(2, "hhh iii jjj. " + "Aaa bbb ccc. " * 9)]
    document = assemble(pages)
    chunks = split(document, offsets(document.text), LIMITS)
    crossing = [chunk for chunk in chunks if "ggg" in chunk.text]
    assert "ggg\n\nhhh" in crossing[0].text
    assert (crossing[0].page_first, crossing[0].page_last) == (1, 2)


def test_an_abbreviation_ends_no_sentence() -> None:
    text = "Disse ontem o Sr. Silva ao art. Cinco e ao Dr. Costa que a J. Lima viria. " * 4
    assert all(chunk.text.endswith("viria.") for chunk in chunks_of(text))


def test_lines_without_full_stops_are_kept_whole() -> None:
    rows = [f"{row};alfa;beta" for row in range(1000, 1040)]
    chunks = chunks_of("\n".join(rows))
    assert [line for chunk in chunks for line in chunk.text.splitlines()] == rows


def test_a_word_longer_than_the_limit_is_cut() -> None:
    chunks = chunks_of("a" * 1000)
    assert "".join(chunk.text for chunk in chunks) == "a" * 1000
    assert max(tokens(chunk.text) for chunk in chunks) <= LIMITS.max_tokens


def test_a_text_without_tokens_makes_chunks_of_bounded_size() -> None:
    text = "\u200b" * 10_000
    chunks = split(plain(text), np.empty((0, 2), np.int32), LIMITS)
    assert "".join(chunk.text for chunk in chunks) == text
    assert max(len(chunk.text) for chunk in chunks) <= 64 * (LIMITS.max_tokens + 1)


def test_an_empty_text_has_no_chunks() -> None:
    assert chunks_of("") == chunks_of(" \n\n ") == []


def test_headings_are_the_path_at_the_chunk_s_start() -> None:
    intro, detail = "Intro\n" + "Aaa bbb ccc. " * 7, "Detail\n" + "Ddd eee fff. " * 14
    text = "Book\n" + intro + detail
    headings = [Heading(1, "Book", 0), Heading(2, "Intro", 5), Heading(2, "Detail", 5 + len(intro))]
    chunks = chunks_of(text, LIMITS, *headings)
    assert chunks[0].text.startswith("Book\nIntro\nAaa")
    assert [chunk.headings for chunk in chunks] == [("Book",), *[("Book", "Detail")] * (len(chunks) - 1)]
    assert chunks[-1].embedded_text.startswith("Detail\nDdd")


def test_short_sections_side_by_side_share_a_chunk() -> None:
    slides = [f"Slide {n}\npoint" for n in range(1, 9)]
    text, headings = "", []
    for slide in slides:
        headings.append(Heading(1, slide.splitlines()[0], len(text)))
        text += slide + "\n\n"
    chunks = chunks_of(text, LIMITS, *headings)
    assert len(chunks) <= 4
    assert all(LIMITS.min_tokens <= tokens(chunk.text) <= LIMITS.max_tokens for chunk in chunks)


def test_a_title_of_any_length_leaves_room_for_text() -> None:
    title = "t" * 5000
    chunks = chunks_of(title + "\n" + "Aaa bbb ccc. " * 20, LIMITS, Heading(1, title, 0))
    assert all(tokens(chunk.embedded_text) <= LIMITS.max_tokens for chunk in chunks)


def test_overlap_repeats_whole_sentences() -> None:
    text = " ".join(f"Aaa b{n:02} ccc." for n in range(40))
    chunks = chunks_of(text, ChunkLimits(max_tokens=32, overlap_tokens=8, min_tokens=8))
    assert all(after.text.split(". ")[:2] == before.text[:-1].split(". ")[-2:] for before, after in pairwise(chunks))


@pytest.mark.parametrize(("window", "expected"), [(512, 192), (254, 192), (126, 119), (32, 30)])
def test_the_usual_limits_leave_room_in_a_small_window(window: int, expected: int) -> None:
    assert ChunkLimits.within(window).max_tokens == expected


def test_a_long_title_is_shortened_between_words() -> None:
    title = "Relatorio anual de atividades do conselho"
    chunks = chunks_of(title + "\ntexto", LIMITS, Heading(1, title, 0))
    assert chunks[0].headings == ("Relatorio anual",)


@pytest.mark.parametrize("wrong", [(8, 0, 0), (64, 17, 8), (64, 0, 17), (64, -1, 8)])
def test_limits_that_cannot_be_kept_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="tokens"):
        ChunkLimits(*wrong)


def table_of(rows: list[str], header: str = "cidade | valor") -> DocumentText:
    text = "\n".join(["Vendas", header, *rows])
    start = len("Vendas\n") + len(header) + 1
    return assemble([Page(1, text, (Heading(1, "Vendas", 0),), (TableRows(header, start, len(text)),))])


def test_rows_of_a_table_carry_the_names_of_its_columns() -> None:
    document = table_of([f"Cidade {row} | {row}" for row in range(40)])
    first, *others = split(document, offsets(document.text), LIMITS)
    assert first.headings == ("Vendas",)
    assert first.embedded_text == first.text
    assert {chunk.headings for chunk in others} == {("Vendas", "cidade | valor")}
    assert all(chunk.embedded_text == f"Vendas\ncidade | valor\n{chunk.text}" for chunk in others)
    assert all(tokens(chunk.embedded_text) <= LIMITS.max_tokens for chunk in [first, *others])


def test_rows_are_kept_whole_though_they_hold_sentences() -> None:
    rows = [f"Linha {row}. Tem duas frases. E mais uma | {row}" for row in range(30)]
    document = table_of(rows)
    chunks = split(document, offsets(document.text), LIMITS)
    assert [line for chunk in chunks for line in chunk.text.split("\n")][2:] == rows


def test_column_names_that_would_take_a_third_of_the_chunk_are_left_out() -> None:
    document = table_of([f"a{row} | b" for row in range(60)], header=" | ".join("nome" for _ in range(12)))
    chunks = split(document, offsets(document.text), LIMITS)
    assert {chunk.headings for chunk in chunks} == {("Vendas",)}


def test_what_follows_a_table_is_not_under_its_column_names() -> None:
    rows = "cidade | valor\n" + "\n".join(f"Cidade {row} | {row}" for row in range(12))
    text = rows + "\n\n" + "Aaa bbb ccc. " * 20
    document = assemble([Page(1, text, (), (TableRows("cidade | valor", 15, len(rows)),))])
    chunks = split(document, offsets(text), LIMITS)
    assert chunks[-1].headings == ()
