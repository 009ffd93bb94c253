"""The part of a passage that a reader wants to see, with the words that were asked for."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LENGTH = 420  # characters; some five lines of a terminal

Range = tuple[int, int]  # offsets in code points, the end exclusive


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text, and the ranges of it that hold words of the query."""

    text: str
    marks: tuple[Range, ...]

    def pieces(self) -> list[tuple[str, bool]]:
        """The text in pieces, and which of them are marked."""
        borders = [0, *(border for mark in self.marks for border in mark), len(self.text)]
        return [(self.text[begin:end], place % 2 == 1) for place, (begin, end) in enumerate(pairwise(borders))]


def make_snippet(text: str, marks: Sequence[Range], length: int = LENGTH) -> Snippet:
    """The stretch of `text` with the most marks, on one line, cut at spaces. Marks ascend and do not overlap."""
    text, marks = _on_one_line(text, marks)
    begin, end = _stretch(text, marks, length)
    head, tail = "… " if begin else "", " …" if end < len(text) else ""
    offset = len(head) - begin
    inside = tuple((start + offset, stop + offset) for start, stop in marks if begin <= start and stop <= end)
    return Snippet(f"{head}{text[begin:end]}{tail}", inside)


def _on_one_line(text: str, marks: Sequence[Range]) -> tuple[str, list[Range]]:
    """The words with one space between them, and the marks where they are then. A mark lies within a word."""
    words = [(match.start(), match[0]) for match in re.finditer(r"\S+", text)]
    starts = [start for start, _ in words]
    new_starts: list[int] = []
    length = 0
    for _, word in words:
        new_starts.append(length)
        length += len(word) + 1
    moved: list[Range] = []
    for start, stop in marks:
        place = bisect_right(starts, start) - 1
        if place >= 0 and starts[place] <= start < stop <= starts[place] + len(words[place][1]):
            by = new_starts[place] - starts[place]
            moved.append((start + by, stop + by))
    return " ".join(word for _, word in words), moved


def _stretch(text: str, marks: Sequence[Range], length: int) -> Range:
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
