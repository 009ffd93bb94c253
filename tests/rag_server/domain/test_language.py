from hypothesis import given
from hypothesis import strategies as st

from rag_server.domain.extraction import Extraction, Page
from rag_server.domain.language import sample_of, with_language


def language(declared: str, detected: str) -> str:
    properties = {"title": "T", "language": declared} if declared else {"title": "T"}
    extraction = with_language(Extraction("text/plain", (Page(1, "x"),), 1, properties), lambda _: detected)
    assert extraction.properties["title"] == "T"
    return extraction.properties.get("language", "none")


def test_what_the_text_shows_counts_more_than_what_the_file_says() -> None:
    assert language("en-US", "pt") == "pt"
    assert language("", "pt") == "pt"


def test_a_region_is_kept_where_the_language_agrees() -> None:
    assert language("pt_br", "pt") == "pt-BR"


def test_what_the_file_says_is_kept_where_the_text_shows_nothing() -> None:
    assert language("pt-BR", "") == "pt-BR"
    assert language("x-default", "") == "none"
    assert language("Portuguese", "") == "none"


@given(st.lists(st.text(max_size=4000), max_size=9))
def test_the_sample_is_bounded_and_comes_from_the_text(texts: list[str]) -> None:
    sample = sample_of(texts)
    assert len(sample) <= 4000 + 9
    if sum(map(len, texts)) <= 4000:
        assert sample == "\n".join(texts)


def test_the_sample_reaches_the_end_of_the_text() -> None:
    assert "z" in sample_of(["a" * 10_000, "z" * 3_000])
