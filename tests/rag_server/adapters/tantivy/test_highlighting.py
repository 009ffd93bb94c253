"""What is marked in a passage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.adapters.tantivy.highlighting import marks_in, sought
from rag_server.domain.wording import wording_of


def marked(passage: str, query: str) -> list[str]:
    (marks,) = marks_in([passage], sought(wording_of(query)))
    return [passage[mark.start : mark.end] for mark in marks]


@pytest.mark.parametrize(
    ("query", "passage", "expected"),
    [
        ("licitacao", "As Licitações e a licitação.", ["Licitações", "licitação"]),
        ("orgao", "O órgão julgador", ["órgão"]),
        ("dying", "He died, dying of dyes.", ["died", "dying"]),
        ("proteins", "A protein was found", ["protein"]),
        ("o que é a licitação", "o que é licitação", ["licitação"]),
        ("não ser", "ser ou não ser", ["ser", "não", "ser"]),
        ("art. 5º", "o art. 5º, o art. 15", ["art", "5", "art"]),
        ("Lei 13.709/2018", "Lei nº 13.709/2018", ["Lei", "13", "709", "2018"]),
        ("licita*", "licitantes e lícito", ["licitantes"]),
        ('"pregão eletrônico" -obra', "obra: pregão eletrônico", ["pregão", "eletrônico"]),
        ("ação", "reação AÇÃO", ["AÇÃO"]),
        ("中文", "a 中文 b", ["中文"]),
        ("École", "une école", ["école"]),
        ("valor", "valor_total e _valor", ["valor", "valor"]),
        ("!", "nada!", []),
        ("casa", "", []),
    ],
)
def test_words_are_marked_in_the_forms_that_are_found(query: str, passage: str, expected: list[str]) -> None:
    assert marked(passage, query) == expected


@given(st.text(), st.text())
def test_marks_ascend_and_stay_inside(passage: str, query: str) -> None:
    (marks,) = marks_in([passage], sought(wording_of(query)))
    borders = [border for mark in marks for border in (mark.start, mark.end)]
    assert borders == sorted(borders)
    assert all(0 <= border <= len(passage) for border in borders)


@given(st.text(st.sampled_from("abçãÉ1 º-."), min_size=1))
def test_every_word_of_a_passage_is_found_by_itself(passage: str) -> None:
    words = wording_of(passage).text.translate(str.maketrans("º-.", "   ")).split()
    for word in words:
        assert word in marked(f"x {word} x", word)
