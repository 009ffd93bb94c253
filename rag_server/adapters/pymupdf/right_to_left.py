"""Lines of Arabic script, whose ligatures MuPDF takes apart from left to right: their letters must change places."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

_ARABIC = range(0x0600, 0x0900)


def has_arabic(text: str) -> bool:
    """Whether any letter is of Arabic script."""
    return not text.isascii() and any(ord(character) in _ARABIC for character in text)


def line_text(spans: Sequence[Mapping[str, Any]]) -> str:
    """The text of a line that was read character by character."""
    characters = [character for span in spans for character in span["chars"]]
    return "".join(_in_order(characters))


def _in_order(characters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    # The second letter of a ligature has no width of its own, and comes first.
    swapped = False
    for character, following in pairwise(characters):
        if swapped:
            swapped = False
        elif _is_second(character, following):
            yield following["c"] + character["c"]
            swapped = True
        else:
            yield character["c"]
    if characters and not swapped:
        yield characters[-1]["c"]


def _is_second(character: Mapping[str, Any], following: Mapping[str, Any]) -> bool:
    left, _, right, _ = character["bbox"]
    follows_at_once = abs(following["bbox"][2] - left) < 1
    return right - left < 0.01 and follows_at_once and unicodedata.category(character["c"]) == "Lo"  # noqa: PLR2004 - no width
