import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.adapters.parsing.cleaning import clean, clean_line, is_clean


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("cafe\u0301", "café"),
        ("e\ufb01ciente o\ufb03cio", "eficiente officio"),
        ("infor\u00ad\nma\u00adção", "informação"),
        ("um\u00a0dois\u2009três", "um dois três"),
        ("a\r\nb\rc\u2028d\x0be", "a\nb\nc\nd\ne"),
        ("nul\x00 bell\x07 c1\x90", "nul bell c1"),
        ("fim  \n\n\n\n  recuo", "fim\n\n  recuo"),
        ("\u202eltr\u200b\ufeff\U000e0041", "ltr"),
        ("\uf0b7 item", "• item"),
        ("\ufefb \ufe8d", "لا ا"),
        ("\ud800lone", "lone"),
    ],
)
def test_text_comes_out_in_one_form(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_cleaned_text_is_clean_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert is_clean(cleaned)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    cleaned.encode("utf-8")


def test_a_line_has_single_spaces() -> None:
    assert clean_line(" a \n\t b  c ") == "a b c"
