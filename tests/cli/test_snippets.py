import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.snippets import make_snippet


def marked(text: str, query: str, length: int = 420) -> list[str]:
    snippet = make_snippet(text, query, length)
    return [snippet.text[begin:end] for begin, end in snippet.marks]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("A Administração Pública", "administracao PUBLICA", ["Administração", "Pública"]),
        ("a acao", "ação", ["acao"]),
        ("os contratos da lei", "contrato de lei", ["contratos", "lei"]),
        ("a casa de praia", "de a", ["a", "de"]),
        (unicodedata.normalize("NFD", "uma ação aqui"), "ação", [unicodedata.normalize("NFD", "ação")]),
        ("nothing", "else", []),
    ],
)
def test_words_of_the_query_are_marked_without_regard_to_accents(text: str, query: str, expected: list[str]) -> None:
    assert marked(text, query) == expected


def test_the_stretch_with_most_words_is_shown() -> None:
    text = "lei " + "filler " * 200 + "lei de contratos e licitações " + "filler " * 200
    snippet = make_snippet(text, "lei contratos licitações", 120)
    assert "contratos e licitações" in snippet.text
    assert snippet.text.startswith("… ")
    assert snippet.text.endswith(" …")


@given(st.text(), st.text(), st.integers(20, 100))
def test_marks_lie_inside_a_snippet_of_bounded_length(text: str, query: str, length: int) -> None:
    snippet = make_snippet(text, query, length)
    assert len(snippet.text) <= length + 4
    assert all(0 <= begin < end <= len(snippet.text) for begin, end in snippet.marks)
