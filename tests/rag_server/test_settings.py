import pytest

from rag_server.settings import read
from serving.environment import SettingsError


@pytest.mark.parametrize("languages", ["", "por", "por+eng", "chi_sim+por"])
def test_languages_for_recognising_text_are_taken_as_tesseract_names_them(languages: str) -> None:
    assert read({"ACERVO_OCR": languages}, cores=2).ocr == languages


@pytest.mark.parametrize("wrong", ["pt,en", "por+", "../por", "por eng", "-l"])
def test_what_cannot_be_languages_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"por\+eng"):
        read({"ACERVO_OCR": wrong}, cores=2)
