"""A question and its answer."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from rag_server.domain.document import Passage
from rag_server.domain.explanation import Explanation, HitExplanation


class SearchMode(StrEnum):
    """How passages are found: by words and by meaning together, or by one of the two."""

    HYBRID = "HYBRID"
    LEXICAL = "LEXICAL"
    DENSE = "DENSE"


class Degradation(StrEnum):
    """A part of the answer that had to be left out."""

    NO_DENSE = "NO_DENSE"  # the query could not be embedded: words only
    NO_LEXICAL = "NO_LEXICAL"  # the word index could not be asked: meaning only
    NO_PHRASE = "NO_PHRASE"  # no passage has the quoted phrases: their words were looked for


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one collection."""

    text: str
    collection: str  # the bare id
    limit: int  # how many hits at the most
    mode: SearchMode = SearchMode.HYBRID
    min_sequence: int = 0  # answer only from an index that has reached this
    highlight: bool = False  # mark the words of the query in the passages
    explain: bool = False  # tell how the scores came about

    @property
    def normal_text(self) -> str:
        """The text as documents are stored: NFC; what is no character (a lone surrogate) is replaced."""
        return unicodedata.normalize("NFC", self.text.encode(errors="replace").decode()).strip()


class Mark(NamedTuple):
    """A word of the query in a passage: code points of its text, the end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found; the score is comparable within one answer only, higher is better."""

    passage: Passage
    score: float
    marks: tuple[Mark, ...] = ()  # ascending; where they were asked for
    explanation: HitExplanation | None = None  # where it was asked for


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first."""

    hits: tuple[Hit, ...]
    index_sequence: int
    degraded: tuple[Degradation, ...]
    took_s: float
    explanation: Explanation | None = None  # where it was asked for
