import pytest

from rag_server.adapters.py3langid.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("O prazo de recurso é de trinta dias, contados da publicação no diário oficial do município.", "pt"),
        ("El plazo de recurso es de treinta días, contados desde la publicación en el diario oficial.", "es"),
        ("The appeal must be lodged within thirty days of its publication in the official gazette.", "en"),
        ("A biblioteca pública funciona de segunda a sexta e não cobra pela emissão da carteira de leitor.", "pt"),
        ("The public library is open from Monday to Friday and does not charge for the reader's card.", "en"),
        ("SKU 12 | 14 | 15", ""),
        ("", ""),
    ],
)
def test_languages_are_told_apart_and_doubt_is_admitted(text: str, language: str) -> None:
    assert language_of(text) == language
