"""Where the words of a query stand in a passage, in any form that the index takes for the same."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag_server.adapters.tantivy import analysis
from rag_server.adapters.tantivy.analysis import prepared, words_of
from rag_server.adapters.tantivy.queries import telling
from rag_server.domain.search import Mark
from rag_server.domain.wording import Wording

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
    # Candidates: words that begin with a letter that a word sought begins with. No form changes the first letter,
    # and what is left out here need not be stemmed.
    candidates: re.Pattern[str] | None  # None where nothing is sought


@lru_cache(maxsize=64)
def sought(wording: Wording) -> Sought:
    """What the wording looks for."""
    words = telling(words_of(wording.text)) + tuple(
        word for phrase in wording.phrases for word in telling(words_of(phrase))
    )
    prefixes = tuple("".join(analysis.FOLDED.analyze(prepared(prefix))) for prefix in wording.prefixes)
    folded = frozenset(form for word in words for form in word.folded)
    return Sought(
        folded,
        frozenset(form for word in words for form in word.portuguese),
        frozenset(form for word in words for form in word.english),
        tuple(filter(None, prefixes)),
        _beginning_with(form[0] for form in (*folded, *filter(None, prefixes))),
    )


def marks_in(passages: Sequence[str], wanted: Sought) -> list[tuple[Mark, ...]]:
    """The marks of each passage, ascending, without overlaps; what only spaces and signs stand between stays apart."""
    if wanted.candidates is None:
        return [()] * len(passages)
    # An underscore parts words in the index; here it would join them.
    matches = [[*wanted.candidates.finditer(prepared(passage).replace("_", " "))] for passage in passages]
    words = {match[0] for each in matches for match in each}
    marked = {word for word in words if _is_wanted(word, wanted)}
    return [tuple(Mark(*match.span()) for match in each if match[0] in marked) for each in matches]


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


@lru_cache(maxsize=REMEMBERED_WORDS)
def _forms(word: str) -> tuple[str, str, str] | None:
    """Folded, as Portuguese and as English, as it stands in the index; None for a word too long to be there."""
    analyzers = (analysis.FOLDED, analysis.PORTUGUESE, analysis.ENGLISH)
    forms = [analyzer.analyze(word) for analyzer in analyzers]
    return (forms[0][0], forms[1][0], forms[2][0]) if all(forms) else None


def _beginning_with(letters: Iterable[str]) -> re.Pattern[str] | None:
    variants = {variant for letter in letters for variant in (letter, letter.upper()[:1], *_accented()[letter])}
    return re.compile(rf"\b[{re.escape(''.join(sorted(variants)))}]\w*") if variants else None


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
