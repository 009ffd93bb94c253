"""Where the words of a query stand in a passage, in any form that the index takes for the same."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag_server.adapters.tantivy import analysis
from rag_server.adapters.tantivy.analysis import prepared, words_of
from rag_server.adapters.tantivy.queries import telling
from rag_server.domain.search import Mark
from rag_server.domain.wording import Wording

_WORD = re.compile(r"\w+")
# Words of passages whose forms are remembered: some 5 MB.
REMEMBERED_WORDS = 16_384
# Latin letters beyond ASCII: with accents, joined, and of double width.
_FOLDED_BLOCKS = (
    (0x80, 0x24F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF), (0xFB00, 0xFB06), (0xFF10, 0xFF5A),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sought:
    """What is to be marked."""

    folded: frozenset[str]
    portuguese: frozenset[str]
    english: frozenset[str]
    prefixes: tuple[str, ...]  # folded
    # What the words sought begin with, as it may be written. No form changes the first letter, so that words which
    # begin otherwise need not be stemmed.
    letters: frozenset[str]


@lru_cache(maxsize=64)
def sought(wording: Wording) -> Sought:
    """What the wording looks for."""
    phrases = (word for phrase in wording.phrases for word in telling(words_of(phrase)))
    words = (*telling(words_of(wording.text)), *phrases)
    analyzed = ("".join(analysis.FOLDED.analyze(prepared(prefix))) for prefix in wording.prefixes)
    prefixes = tuple(filter(None, analyzed))
    folded = frozenset(form for word in words for form in word.folded)
    return Sought(
        folded,
        frozenset(form for word in words for form in word.portuguese),
        frozenset(form for word in words for form in word.english),
        prefixes,
        frozenset(letter for form in (*folded, *prefixes) for letter in _written(form[0])),
    )


def marks_in(passages: Sequence[str], wanted: Sought) -> list[tuple[Mark, ...]]:
    """The marks of each passage, ascending, without overlaps; what only spaces and signs stand between stays apart."""
    # An underscore parts words in the index; here it would join them.
    texts = [prepared(passage).replace("_", " ") for passage in passages]
    words = set(_WORD.findall("\n".join(texts)))
    marked = [word for word in words if word[0] in wanted.letters and _is_wanted(word, wanted)]
    return [tuple(sorted(mark for word in marked for mark in _places(word, text))) for text in texts]


def _is_wanted(word: str, wanted: Sought) -> bool:
    forms = _forms(word)
    if forms is None:
        return False
    folded, portuguese, english = forms
    return (
        folded in wanted.folded
        or portuguese in wanted.portuguese
        or english in wanted.english
        or folded.startswith(wanted.prefixes)
    )


def _places(word: str, text: str) -> Iterator[Mark]:
    """Where the word stands, and not only as a part of another: much faster than looking at every word again."""
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            yield Mark(start, end)
        start = text.find(word, end)


@lru_cache(maxsize=REMEMBERED_WORDS)
def _forms(word: str) -> tuple[str, str, str] | None:
    """Folded, as Portuguese and as English, as it stands in the index; None for a word too long to be there."""
    analyzers = (analysis.FOLDED, analysis.PORTUGUESE, analysis.ENGLISH)
    forms = [analyzer.analyze(word) for analyzer in analyzers]
    return (forms[0][0], forms[1][0], forms[2][0]) if all(forms) else None


def _written(letter: str) -> set[str]:
    """A folded letter as it may stand in a text."""
    return {letter, letter.upper()[:1], *_accented()[letter]}


@lru_cache(maxsize=1)
def _accented() -> dict[str, list[str]]:
    """The letters that are folded into each letter of ASCII, or into several that begin with it."""
    accented: dict[str, list[str]] = defaultdict(list)
    for letter, folded in _folded_letters():
        accented[folded[0]].append(letter)
    return accented


def _folded_letters() -> Iterator[tuple[str, str]]:
    for first, last in _FOLDED_BLOCKS:
        for letter in map(chr, range(first, last + 1)):
            yield from ((letter, folded) for folded in analysis.FOLDED.analyze(letter))
