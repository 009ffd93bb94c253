"""Mends words that were divided at the end of a line."""

import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_DIVIDED = re.compile(r"([^\W\d_]+)[-\u2010\u00ad]$")
_CONTINUED = re.compile(r"[^\W\d_]+")
_HYPHENS = ("-", "\u2010", "\u00ad")
_MAX_WORDS = 300_000
# Pronouns that Portuguese hangs onto verbs: "encontrá-lo" keeps its hyphen.
_CLITICS = frozenset({"lo", "la", "los", "las", "se", "lhe", "lhes", "me", "te", "nos", "vos", "o", "a", "os", "as"})
_BEFORE_CLITIC = tuple("áâéêíóôú")


class Words:
    """The words of the document so far: they tell a divided word from one that is written with a hyphen."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def learn(self, lines: Iterable[str]) -> None:
        """Take note of the words of consecutive lines, but not of the halves of divided ones."""
        after_division = False
        for line in lines:
            if len(self._seen) > _MAX_WORDS:
                return
            divided = _divided(line)
            whole = line[: divided.start()] if divided else line
            if after_division:
                whole = whole.partition(" ")[2]
            self._seen.update(_WORD.findall(whole.lower()))
            after_division = divided is not None

    def join(self, line: str, following: str) -> str:
        """Two lines of one paragraph as one, with the word mended that the line's end divides."""
        divided = _divided(line)
        if divided is None or not following[:1].islower():
            return f"{line} {following}"
        continued = _CONTINUED.match(following)
        second = continued.group() if continued else ""
        hyphen = "-" if self._keeps_hyphen(divided.group(1), second) else ""
        return line[: divided.end(1)] + hyphen + following

    @staticmethod
    def is_divided(line: str, following: str) -> bool:
        """Whether the end of the line divides a word that the following line ends."""
        return following[:1].islower() and _divided(line) is not None

    def _keeps_hyphen(self, first: str, second: str) -> bool:
        first, second = first.lower(), second.lower()
        if first + second in self._seen:
            return False
        if f"{first}-{second}" in self._seen:
            return True
        if second in _CLITICS:
            return first in self._seen or first.endswith(_BEFORE_CLITIC)
        return first in self._seen and second in self._seen


def _divided(line: str) -> re.Match[str] | None:
    """The first half of a word at the line's end; the search would else look at each of the line's letters."""
    return _DIVIDED.search(line) if line.endswith(_HYPHENS) else None
