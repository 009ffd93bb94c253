"""Where a text may be cut: the starts of sections, paragraphs, sentences and lines, in one pass over the text."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from rag_server.domain.extraction import TableRows

# One character is looked back at, so that no run of dots or blanks is scanned twice however long it is.
_BREAK = re.compile(r"""(?<=[.!?…])["')\]»”’]{0,3}\s+|(?<=[。！？])|\n\s*""")
_LIST_ITEM = re.compile(r"[-*•▪·–—‣◦]\s|\(?(?:\d{1,3}|[a-zA-Z]|[IVXLC]{1,6})\s?[.)–-]\s")
_LAST_WORD = re.compile(r"([^\W\d_]{1,6})\.$")
_LAST_WORD_CHARS = 8
_LINE_ENDS = frozenset(".!?…:;。！？")
_ABBREVIATIONS = frozenset(
    [
        *("al", "approx", "art", "arts", "av", "cap", "cf", "ch", "dept", "dr", "dra", "drs", "ed", "eds", "ex", "fig"),
        *("figs", "inc", "ltd", "ltda", "mr", "mrs", "ms", "no", "nos", "nr", "núm", "obs", "op", "pag", "pág", "págs"),
        *("pp", "prof", "profa", "ref", "refs", "sec", "séc", "sr", "sra", "srs", "st", "tab", "tel", "vol", "vs"),
    ]
)


class Strength(IntEnum):
    """How clean a cut is. A cut at LINE may divide a sentence that was wrapped; the others do not."""

    LINE = 1
    SENTENCE = 2
    PARAGRAPH = 3
    SECTION = 4


@dataclass(frozen=True, slots=True)
class Borders:
    """Offsets at which a new unit starts, ascending; at index `s` those of strength `s` or more (0 is unused)."""

    by_strength: tuple[list[int], ...]

    def last(self, strength: Strength, above: int, upto: int) -> int | None:
        """The last border of at least this strength in (above, upto]."""
        positions = self.by_strength[strength]
        index = bisect_right(positions, upto) - 1
        return positions[index] if index >= 0 and positions[index] > above else None

    def first(self, strength: Strength, above: int) -> int | None:
        """The first border of at least this strength after `above`."""
        positions = self.by_strength[strength]
        index = bisect_right(positions, above)
        return positions[index] if index < len(positions) else None


def find_borders(text: str, section_starts: Iterable[int], tables: Sequence[TableRows] = ()) -> Borders:
    """All borders of the text; those in `section_starts` have the strength SECTION. A table's row is a sentence."""
    found = {match.end(): strength for match in _BREAK.finditer(text) if (strength := _strength(text, match))}
    if tables:
        _keep_rows_whole(found, text, tables)
    found.update(dict.fromkeys(section_starts, Strength.SECTION))
    ordered = sorted(found.items())
    return Borders(([], *([at for at, strength in ordered if strength >= least] for least in Strength)))


def _keep_rows_whole(found: dict[int, Strength], text: str, tables: Sequence[TableRows]) -> None:
    starts = [table.char_start for table in tables]
    for at in found:
        table = tables[max(0, bisect_right(starts, at) - 1)]
        if table.char_start < at < table.char_end:
            found[at] = Strength.SENTENCE if text[at - 1] == "\n" else Strength.LINE


def _strength(text: str, match: re.Match[str]) -> Strength | None:
    start, end = match.span()
    lines = text.count("\n", start, end)
    goes_on = end < len(text) and text[end].islower()
    if start == 0 or text[start - 1] not in _LINE_ENDS:
        return _without_punctuation(text, end, lines, goes_on=goes_on)
    if lines > 1:
        return Strength.PARAGRAPH
    if lines == 1 and text[start - 1] in ":;":
        return Strength.SENTENCE
    if goes_on or _is_abbreviation(text, start):
        return Strength.LINE if lines else None
    return Strength.SENTENCE


def _without_punctuation(text: str, end: int, lines: int, *, goes_on: bool) -> Strength:
    # A blank line before a small letter is a page's end inside a sentence, not a paragraph's.
    if lines > 1 and not goes_on:
        return Strength.PARAGRAPH
    return Strength.SENTENCE if _LIST_ITEM.match(text, end) else Strength.LINE


def _is_abbreviation(text: str, end: int) -> bool:
    word = _LAST_WORD.search(text[max(0, end - _LAST_WORD_CHARS) : end])
    return word is not None and (len(word[1]) == 1 or word[1].lower() in _ABBREVIATIONS)
