from typing import Any

from rag_server.adapters.pymupdf.right_to_left import has_arabic, line_text


def characters(*parts: tuple[str, float, float]) -> list[dict[str, Any]]:
    return [{"chars": [{"c": c, "bbox": (x0, 0, x1, 10)} for c, x0, x1 in parts]}]


def test_the_letters_of_a_ligature_change_places() -> None:
    # As MuPDF gives it: the second letter first, without any width.
    assert line_text(characters(("ا", 40, 45), ("إ", 40, 40), ("ل", 34, 40), ("ن", 30, 34))) == "الإن"


def test_marks_without_width_stay_on_their_letter() -> None:
    assert line_text(characters(("ء", 40, 45), ("\u064b", 40, 40), ("ن", 30, 40))) == "ء\u064bن"


def test_arabic_is_told_from_other_scripts() -> None:
    assert has_arabic("abc ب")
    assert not has_arabic("ação שלום")
