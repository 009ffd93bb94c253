"""Names made harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import names
from serving.errors import InvalidInput


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a.txt", "a.txt"),
        ("folder/a.txt", "folder/a.txt"),
        ("C:\\Users\\me\\a.txt", "Users/me/a.txt"),
        ("/etc/passwd", "etc/passwd"),
        ("../../a.txt", "a.txt"),
        ("a/./b//c", "a/b/c"),
        ("relato\u0301rio.pdf", "relatório.pdf"),
        ("x\u202egpj.exe", "xgpj.exe"),
        ("a\x00b\n.txt", "ab.txt"),
    ],
)
def test_a_name_becomes_a_path_below_the_folder(sent: str, kept: str) -> None:
    assert names.relative_path(sent) == kept


@pytest.mark.parametrize("sent", ["", "..", "/", "\u202e", "x" * 256, "é/" * 400 + "x"])
def test_a_name_of_nothing_or_of_too_much_is_refused(sent: str) -> None:
    with pytest.raises(InvalidInput):
        names.relative_path(sent)


@given(st.text(max_size=300))
def test_a_path_never_climbs_and_stays_as_it_is(sent: str) -> None:
    try:
        path = names.relative_path(sent)
    except InvalidInput:
        return
    assert not path.startswith("/")
    assert not {"..", ".", ""} & set(path.split("/"))
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in path)
    assert names.relative_path(path) == path
