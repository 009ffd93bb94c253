from pathlib import Path

import pytest

from tests.fakes.documents import read


def text_of(tmp_path: Path, content: bytes, name: str = "a.csv") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return read(path)[1][0].text


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["nome", "valor"], ["João", "1"], ["Maria", "2"]]
    content = "\r\n".join(delimiter.join(row) for row in rows).encode("cp1252")
    assert text_of(tmp_path, content) == "nome | valor\nJoão | 1\nMaria | 2"


def test_decimal_commas_do_not_hide_the_semicolon(tmp_path: Path) -> None:
    assert text_of(tmp_path, b"a;b\n1,5;2,5\n3,1;4,2\n") == "a | b\n1,5 | 2,5\n3,1 | 4,2"


def test_quoted_fields_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    assert text_of(tmp_path, b'a,b\n"x, y\nz","say ""hi"""\n') == 'a | b\nx, y z | say "hi"'


def test_a_quote_that_is_never_closed_swallows_nothing(tmp_path: Path) -> None:
    content = 'nome;valor\n"João;1\n' + "Maria;2\n" * 5_000
    text = text_of(tmp_path, content.encode())
    assert text.count("Maria | 2") == 5_000


def test_zero_bytes_are_left_out(tmp_path: Path) -> None:
    assert text_of(tmp_path, b"a,b\n1,\x002\n") == "a | b\n1 | 2"
