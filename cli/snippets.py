"""The part of a passage that a reader wants to see, with the words that were asked for."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LENGTH = 420  # characters; some five lines of a terminal
SHORTEST_WORD = 3  # shorter ones, "de" and "a", would light up everywhere


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text, and the ranges of it that hold words of the query."""

    text: str
    marks: tuple[tuple[int, int], ...]


def make_snippet(text: str, query: str, length: int = LENGTH) -> Snippet:
    """The stretch of `text` with the most words of the query, cut at spaces; accents and case do not matter."""
    text = " ".join(text.split())
    words = _wanted(query)
    marks = [mark for mark in _words(text) if _matches(fold(text[slice(*mark)]), words)]
    begin, end = _stretch(text, marks, length)
    head, tail = "… " if begin else "", " …" if end < len(text) else ""
    offset = len(head) - begin
    inside = tuple((start + offset, stop + offset) for start, stop in marks if begin <= start and stop <= end)
    return Snippet(f"{head}{text[begin:end]}{tail}", inside)


def fold(word: str) -> str:
    """Without case and accents: `Ação` is `acao`."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _wanted(query: str) -> frozenset[str]:
    words = [fold(query[slice(*mark)]) for mark in _words(query)]
    return frozenset([word for word in words if len(word) >= SHORTEST_WORD] or words)


def _words(text: str) -> Iterator[tuple[int, int]]:
    # Combining marks are no word characters; a decomposed "ã" must not end its word.
    return (match.span() for match in re.finditer(r"[\w\u0300-\u036f]+", text))


def _matches(word: str, wanted: frozenset[str]) -> bool:
    # "contrato" lights "contratos" up too: the server's stemming goes further, this only guides the eye.
    return word in wanted or any(len(one) > SHORTEST_WORD and word.startswith(one) for one in wanted)


def _stretch(text: str, marks: Sequence[tuple[int, int]], length: int) -> tuple[int, int]:
    if len(text) <= length:
        return 0, len(text)
    starts = [start for start, _ in marks] or [0]
    best = max(starts, key=lambda start: sum(start <= other < start + length * 3 // 4 for other in starts))
    begin = max(0, min(best - length // 8, len(text) - length))
    if begin:
        begin = text.find(" ", begin, best) + 1 or begin
    end = min(len(text), begin + length)
    if end < len(text):
        end = max(text.rfind(" ", begin, end), begin + length // 2)
    return begin, end
