"""The lists are columns of text: a kind, a query, and another query that does or does not ask for the same."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag_server.domain.near_duplicates import gate_key
from rag_server.domain.wording import wording_of

LISTS = Path(__file__).parent / "near_duplicates"
WORD = re.compile(r"\w+")
NEGATIONS = (
    "não",
    "nem",
    "sem",
    "nunca",
    "jamais",
    "nada",
    "ninguém",
    "nenhum",
    "exceto",
    "salvo",
    "menos",
    "tampouco",
)
PIECES = st.sampled_from(
    [
        *("por favor", "Por favor, ", "gostaria de saber ", "se ", "Bom dia! ", "me diga ", "obrigado", "please", ", "),
        *(
            "qual é o ",
            "Quais são as ",
            "onde é que ",
            "o que é que ",
            "prazo",
            "Rosa",
            "SEM",
            "A ",
            "É ",
            "5",
            "12.345",
        ),
        *(
            "?",
            "!",
            "...",
            " ",
            "\u00a0",
            "-",
            "–",
            "−",
            "“",
            "”",
            '"',
            "’",
            "*",
            "art. 5º",
            "§ 2º",
            "¿",
            ";",
            " ,",
            "İ",
        ),
        *NEGATIONS,
    ]
)
TEXTS = st.text() | st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


def pairs(name: str) -> list[tuple[str, str, str]]:
    lines = (LISTS / name).read_text(encoding="utf-8").splitlines()
    return [(kind, one, other) for kind, one, other in (line.split("\t") for line in lines)]


DIFFERENT = pairs("different.tsv")
SAME = pairs("same.tsv")


def test_the_lists_are_long_and_hold_no_pair_twice() -> None:
    assert len({frozenset(pair[1:]) for pair in DIFFERENT}) == len(DIFFERENT) >= 1200
    assert len({frozenset(pair[1:]) for pair in SAME}) == len(SAME) >= 300


def test_queries_that_ask_for_different_things_never_share_an_answer() -> None:
    assert [pair for pair in DIFFERENT if gate_key(pair[1]) == gate_key(pair[2])] == []


def test_queries_that_ask_for_the_same_thing_mostly_share_an_answer() -> None:
    shared = sum(gate_key(one) == gate_key(other) for _, one, other in SAME)
    assert shared >= 0.95 * len(SAME)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Bom dia! Por favor, qual é o  prazo do recurso ? Obrigada.", "qual o prazo do recurso"),
        ("Quero saber se onde é que fica", "onde fica"),
        ("Contrato SEM vigência?", "contrato SEM vigência"),
        ("atas de 1950–1960", "atas de 1950-1960"),
        ("obra –metrô", "obra –metrô"),
        ("−5 graus", "-5 graus"),
        ("«pregão eletrônico»  Merenda?", '"pregão eletrônico" Merenda?'),
        ("Obra -metrô?", "Obra -metrô?"),
        ("Bom dia, Vietnã", "bom dia, Vietnã"),
        (".NET 8!", ".NET 8!"),
        ("C++", "C++"),
        ("A SEM", "A SEM"),
        ("por favor", "por favor"),
        ("???", "???"),
        ("", ""),
    ],
)
def test_what_is_dropped_and_what_is_kept(text: str, key: str) -> None:
    assert gate_key(text) == key


@given(TEXTS)
@example("gostaria de saber – ?")
def test_the_key_of_a_key_is_itself(text: str) -> None:
    assert gate_key(gate_key(text)) == gate_key(text)


@given(TEXTS)
def test_digits_stay_in_their_order(text: str) -> None:
    # NFC makes one sign of a few that are not digits; a key has what is left.
    normal = unicodedata.normalize("NFC", text)
    assert [sign for sign in gate_key(text) if sign.isdigit()] == [sign for sign in normal if sign.isdigit()]


@given(TEXTS)
def test_no_negation_is_lost(text: str) -> None:
    before, after = (
        Counter(WORD.findall(each.lower())) for each in (unicodedata.normalize("NFC", text), gate_key(text))
    )
    assert {word: before[word] for word in NEGATIONS} == {word: after[word] for word in NEGATIONS}


@given(TEXTS)
@example("obra -d’água")
@example('¿-A"0')
def test_what_search_syntax_asks_for_stays(text: str) -> None:
    asked = wording_of(" ".join(unicodedata.normalize("NFC", text).split()))
    kept = wording_of(gate_key(text))
    assert (kept.phrases, kept.excluded, kept.prefixes) == (asked.phrases, asked.excluded, asked.prefixes)


@given(TEXTS)
def test_a_query_with_a_word_keeps_one(text: str) -> None:
    assert any(map(str.isalnum, gate_key(text))) == any(map(str.isalnum, unicodedata.normalize("NFC", text)))
