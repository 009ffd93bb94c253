"""How an answer came about: the parts that recompute its order."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Stage(StrEnum):
    """A part of the work on a search."""

    EMBED = "EMBED"  # the query
    LEXICAL = "LEXICAL"  # candidates by words
    DENSE = "DENSE"  # candidates by vector
    FUSE = "FUSE"  # scores that are missing, and the order
    LOAD = "LOAD"  # passages from the store
    HIGHLIGHT = "HIGHLIGHT"
    EXPLAIN = "EXPLAIN"
    FILTER = "FILTER"  # the documents that the filter means
    RERANK = "RERANK"
    ARRANGE = "ARRANGE"  # groups, variety, counts


class Remembered(StrEnum):
    """Whether the order of the hits is that of an earlier search."""

    MISS = "MISS"
    HIT = "HIT"  # the same search
    NEAR_HIT = "NEAR_HIT"  # the same question in other words


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long a stage took, all its turns together."""

    stage: Stage
    took_s: float


@dataclass(frozen=True, slots=True, eq=False)
class TermScores:
    """What one part of the query gave to each of some chunks."""

    term: str
    scores: NDArray[np.float64]  # (n,)


@dataclass(frozen=True, slots=True)
class TermScore:
    """What one part of the query gave to a passage."""

    term: str
    score: float


@dataclass(frozen=True, slots=True)
class HitExplanation:
    """Where the score of a hit comes from: the reranker, else `lexical_weight * bm25 + dense_weight * cosine`."""

    bm25: float  # the sum of the terms
    cosine: float
    lexical_rank: int  # among the candidates by words, from 1; 0 where it was none of them
    dense_rank: int  # among the candidates by vector, likewise
    terms: tuple[TermScore, ...]  # those that gave something
    rerank: float | None = None  # what the reranker gave, where it read the passage


@dataclass(frozen=True, slots=True)
class Weights:
    """How much the two scores of a chunk count in this answer; 0 for one that was not asked for."""

    lexical: float
    dense: float


@dataclass(frozen=True, slots=True)
class ModelsUsed:
    """The models that an order hangs on."""

    name: str  # of the one that embeds
    fingerprint: str
    reranker_fingerprint: str = ""  # empty where nothing was reranked


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is the same for all hits."""

    weights: Weights
    models: ModelsUsed
    stages: tuple[StageTime, ...]  # in the order in which they first ended
    remembered: Remembered = Remembered.MISS
