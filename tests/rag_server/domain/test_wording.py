import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.domain.wording import Wording, wording_of

TEXTS = st.text() | st.text('ab1 "-*“”.é', max_size=40)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("licitação de obras", Wording("licitação de obras")),
        ('prazo "pregão eletrônico" hoje', Wording("prazo pregão eletrônico hoje", phrases=("pregão eletrônico",))),
        ("“pregão eletrônico”", Wording("pregão eletrônico", phrases=("pregão eletrônico",))),
        ('«a obra», ("b")', Wording("a obra, (b)", phrases=("a obra", "b"))),
        ("obra -metrô", Wording("obra", excluded=("metrô",))),
        ('obra -"metrô novo" -linha2', Wording("obra", excluded=("metrô novo", "linha2"))),
        ("obra licita*", Wording("obra", prefixes=("licita",))),
        ("licita*", Wording("", prefixes=("licita",))),
    ],
)
def test_what_is_asked_for_is_understood(query: str, expected: Wording) -> None:
    assert wording_of(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        '"aberta',
        "COVID-19",
        "guarda-chuva",
        "-5 graus",
        "12.345.678/0001-90",
        "a - b",
        "--x",
        "a*",
        "2*3",
        "*",
        '""',
        "x -",
        '5" de tela e 3" de lado',
        "-só -isso",
        "",
        "!!!",
    ],
)
def test_everything_else_is_text(query: str) -> None:
    wording = wording_of(query)
    assert not wording.phrases + wording.excluded + wording.prefixes
    assert not wording.is_conditional


@given(TEXTS)
def test_any_text_has_a_wording_with_as_much_text_at_the_most(query: str) -> None:
    wording = wording_of(query)
    assert len(wording.text) <= len(query)
    assert len(wording.meaning) <= len(query)
    assert wording.is_conditional == bool(wording.phrases or wording.excluded)


def test_without_its_phrases_a_query_asks_for_the_same_words_and_still_excludes() -> None:
    relaxed = wording_of('"a b" c -d -"e f"').without_phrases
    assert relaxed == Wording("a b c", excluded=("d", "e f"))


def test_what_is_embedded_is_all_that_is_looked_for() -> None:
    assert wording_of('obra "a b" licita* -metrô').meaning == "obra a b licita"
