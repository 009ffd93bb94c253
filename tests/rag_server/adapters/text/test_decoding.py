import pytest

from rag_server.adapters.text.decoding import decode, looks_like_text

PORTUGUESE = "A Coordenação não solicitará a renovação dos três anéis à Direção: é ação já prevista.\n" * 3


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le",
     "cp1252", "latin-1", "mac_roman", "cp850"],
)  # fmt: skip
def test_portuguese_comes_out_exactly_whatever_its_encoding(encoding: str) -> None:
    assert decode(PORTUGUESE.encode(encoding)) == PORTUGUESE


@pytest.mark.parametrize("text", ["ação", "não", "Situação;Média\nSão Paulo;8,5", "1º de março", "R$ 10 – já"])
def test_short_portuguese_of_windows_is_not_taken_for_another_script(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Однажды, в студеную зимнюю пору, я из лесу вышел", "cp866"),
        ("Однажды, в студеную зимнюю пору, я из лесу вышел", "cp1251"),
        ("Однажды, в студеную зимнюю пору, я из лесу вышел", "koi8_r"),
        ("THE SERVER ROOM is open from nine to five. " * 4, "cp500"),
        ("これは日本語のテキストです。", "shift_jis"),
        ("名前,年齢\r\n佐藤太郎,30\r\n", "cp932"),
        ("Grüße aus Köln, schöne Straße", "cp1252"),
    ],
)
def test_other_languages_come_out_too(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_few_wrong_bytes_leave_the_rest_of_utf8_alone() -> None:
    assert decode("relatório de gestão, ação ".encode() + b"a\xe7\xe3o") == "relatório de gestão, ação ação"


def test_a_declared_encoding_is_believed_if_the_bytes_agree() -> None:
    assert decode("žluťoučký".encode("cp1250"), "windows-1250") == "žluťoučký"
    assert decode("não".encode(), "iso-8859-1") == "não"
    assert decode(b"plain", "no-such-encoding") == "plain"


def test_windows_text_far_behind_ascii_is_found() -> None:
    text = "x" * 100_000 + " ação"
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize("sample", [bytes(range(256)) * 8, b"\x00\x01\x02\x03" * 50, b"\x89\xfe\x00\x10" * 9])
def test_binary_is_no_text(sample: bytes) -> None:
    assert not looks_like_text(sample)


def test_text_with_a_stray_zero_byte_is_text() -> None:
    assert looks_like_text(b"a,b\n1,\x002\n")
