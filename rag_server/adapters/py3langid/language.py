"""Tells the language of a text by its letters."""

from functools import cache
from pathlib import Path
from typing import Any

# The languages that are told apart: a longer list makes names and tables into languages that few write.
_LANGUAGES = (
    *("ar", "ca", "cs", "da", "de", "el", "en", "es", "fi", "fr", "gl", "he", "hi", "hu", "it", "ja", "ko", "la", "nl"),
    *("no", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "vi", "zh"),
)
_FEWEST_LETTERS = 60
_LEAST_CONFIDENCE = 0.8


def language_of(text: str) -> str:
    """The ISO 639-1 code, "" where the text is too short or may be several. The first call takes half a second."""
    if sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
        return ""
    code, confidence = _identifier().classify(text)
    return str(code) if confidence >= _LEAST_CONFIDENCE else ""


def load() -> None:
    """Load the library now, so that no document waits for it."""
    _identifier()


@cache
def _identifier() -> Any:  # the library has no types
    from py3langid import langid  # noqa: PLC0415 - loaded in the process and at the time that it is needed

    identifier = langid.LanguageIdentifier.from_model_file(Path(langid.MODEL_FILE), norm_probs=True)
    identifier.set_languages(list(_LANGUAGES))
    return identifier
