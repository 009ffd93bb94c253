import pytest

from rag_server.adapters.pdf.hyphens import Words


@pytest.mark.parametrize(
    ("seen", "line", "following", "joined"),
    [
        ("", "a transpa-", "rência pública", "a transparência pública"),
        ("", "uma linha", "e outra", "uma linha e outra"),
        ("encontrá", "é preciso encontrá-", "lo depois", "é preciso encontrá-lo depois"),
        ("segunda-feira", "na segunda-", "feira seguinte", "na segunda-feira seguinte"),
        ("well known", "a well-", "known fact", "a well-known fact"),
        ("information in", "the in-", "formation", "the information"),
        ("", "de 2010-", "2015", "de 2010- 2015"),
        ("", "São Paulo -", "Capital", "São Paulo - Capital"),
    ],
)
def test_divided_words_are_mended_and_written_hyphens_kept(seen: str, line: str, following: str, joined: str) -> None:
    words = Words()
    words.learn([seen])
    assert words.join(line, following) == joined


def test_the_halves_of_a_divided_word_are_not_taken_for_words() -> None:
    words = Words()
    words.learn(["metus rhon-", "cus sem"])
    assert words.join("metus rhon-", "cus sem") == "metus rhoncus sem"
