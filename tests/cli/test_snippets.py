import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.snippets import make_snippet


def ranges(text: str, *words: str) -> list[tuple[int, int]]:
    return [(text.index(word), text.index(word) + len(word)) for word in words]


def marked(text: str, marks: list[tuple[int, int]], length: int = 420) -> list[str]:
    snippet = make_snippet(text, marks, length)
    return [snippet.text[begin:end] for begin, end in snippet.marks]


@pytest.mark.parametrize(
    "text", ["A administração pública", "  A \n\n administração\t\tpública ", "A administração (pública)"]
)
def test_marks_move_with_their_words_when_the_text_is_put_on_one_line(text: str) -> None:
    assert marked(text, ranges(text, "administração", "pública")) == ["administração", "pública"]


@pytest.mark.parametrize("mark", [(-3, 2), (0, 500), (3, 3), (1, 4)])
def test_a_mark_that_lies_in_no_word_is_left_out(mark: tuple[int, int]) -> None:
    assert marked("um texto", [mark]) == []


def test_the_stretch_with_most_marks_is_shown() -> None:
    text = "lei " + "filler " * 200 + "leis de contratos e licitações " + "filler " * 200
    snippet = make_snippet(text, [(0, 3), *ranges(text, "leis", "contratos", "licitações")], 120)
    assert "contratos e licitações" in snippet.text
    assert snippet.text.startswith("… ")
    assert snippet.text.endswith(" …")


def test_the_pieces_are_the_text_marked_in_turns() -> None:
    snippet = make_snippet("a lei nova", [(2, 5)])
    assert snippet.pieces() == [("a ", False), ("lei", True), (" nova", False)]
    assert make_snippet("nada", []).pieces() == [("nada", False)]


@given(st.text(), st.lists(st.integers(0, 60), unique=True), st.integers(20, 100))
def test_marks_lie_inside_a_snippet_of_bounded_length(text: str, borders: list[int], length: int) -> None:
    borders.sort()
    marks = list(zip(borders[::2], borders[1::2], strict=False))
    snippet = make_snippet(text, marks, length)
    assert len(snippet.text) <= length + 4
    assert all(0 <= begin < end <= len(snippet.text) for begin, end in snippet.marks)
    assert "".join(piece for piece, _ in snippet.pieces()) == snippet.text
