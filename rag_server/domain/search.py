"""A question and its answer."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import Passage
from rag_server.domain.explanation import Explanation, HitExplanation
from rag_server.domain.filter import EVERYTHING, Filter


class SearchMode(StrEnum):
    """How passages are found: by words and by meaning together, or by one of the two."""

    HYBRID = "HYBRID"
    LEXICAL = "LEXICAL"
    DENSE = "DENSE"


class FacetField(StrEnum):
    """What the documents of an answer can be counted by."""

    MEDIA_TYPE = "MEDIA_TYPE"
    LANGUAGE = "LANGUAGE"
    TAG = "TAG"


class RerankWish(StrEnum):
    """Whether the best candidates are reranked."""

    AUTO = "AUTO"  # where there is a reranker
    ON = "ON"
    OFF = "OFF"


class Degradation(StrEnum):
    """A part of the answer that had to be left out."""

    NO_DENSE = "NO_DENSE"  # the query could not be embedded: words only
    NO_LEXICAL = "NO_LEXICAL"  # the word index could not be asked: meaning only
    NO_PHRASE = "NO_PHRASE"  # no passage has the quoted phrases: their words were looked for
    RERANK_PARTIAL = "RERANK_PARTIAL"  # the time was over before every candidate was reranked
    NO_RERANK = "NO_RERANK"  # nothing could be reranked


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A question to one collection."""

    text: str
    collection: str  # the bare id
    limit: int  # how many hits at the most
    mode: SearchMode = SearchMode.HYBRID
    min_sequence: int = 0  # answer only from an index that has reached this
    highlight: bool = False  # mark the words of the query in the passages
    explain: bool = False  # tell how the scores came about
    wanted: Filter = EVERYTHING
    min_relevance: float = 0.0
    group_size: int = 0  # passages of a document that make one hit; 0: each passage is a hit
    diversity: float = 0.0  # how much variety counts against relevance, 0 to 1
    first: int = 0  # how many hits the pages before this one had
    facets: tuple[FacetField, ...] = ()
    rerank: RerankWish = RerankWish.AUTO
    vector: NDArray[np.float32] | None = None  # (d,) instead of embedding the text
    deadline_s: float | None = None  # of the monotonic clock: nobody waits for the answer after it

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
    relevance: float  # 0 to 1, an estimate of how likely the passage answers the query; grows with the score
    marks: tuple[Mark, ...] = ()  # ascending; where they were asked for
    explanation: HitExplanation | None = None  # where it was asked for
    others: tuple["Hit", ...] = ()  # further passages of the document, where hits are grouped


@dataclass(frozen=True, slots=True)
class Facet:
    """Documents of an answer, counted by a field: the values with the most documents first."""

    field: FacetField
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first."""

    hits: tuple[Hit, ...]
    index_sequence: int
    degraded: tuple[Degradation, ...]
    took_s: float
    explanation: Explanation | None = None  # where it was asked for
    next_first: int | None = None  # `first` of the next page; None where there is none
    facets: tuple[Facet, ...] = ()
