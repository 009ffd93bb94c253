"""Ranking of chunks by what two indexes say of them."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.explanation import Weights


class ModelKind(StrEnum):
    """What sort of model made the vectors."""

    STATIC = "STATIC"
    TRANSFORMER = "TRANSFORMER"


# Measured with `weigh`; the optimum is flat (docs/decisions/0014-fusion.md).
DENSE_WEIGHTS = {ModelKind.STATIC: 0.5, ModelKind.TRANSFORMER: 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Chunks with their scores, best first; of equal scores the lower id."""

    chunk_ids: NDArray[np.int64]  # (n,)
    scores: NDArray[np.float64]  # (n,)

    def __len__(self) -> int:
        return len(self.chunk_ids)

    def first(self, count: int) -> "Scored":
        """The best so many."""
        return Scored(self.chunk_ids[:count], self.scores[:count])


NOTHING = Scored(np.empty(0, np.int64), np.empty(0, np.float64))


def ranked(chunk_ids: NDArray[np.int64], scores: NDArray[np.floating], limit: int | None = None) -> Scored:
    """The best of them, in order."""
    order = np.lexsort((chunk_ids, -scores))[:limit]
    return Scored(chunk_ids[order], scores[order].astype(np.float64))


def weigh(best_bm25: float, full_bm25: float, dense_weight: float) -> Weights:
    """The weights for a query whose best passage by words has one score, and a passage with every word the other.

    BM25 counts by the geometric mean of the two. By the best alone, words that hardly anything has would count as much
    as words that were all found; by the full score alone, a long question would count for little.
    """
    scale = math.sqrt(best_bm25 * full_bm25)
    return Weights(1 / scale if scale > 0 else 0.0, dense_weight)


def fuse(
    chunk_ids: NDArray[np.int64], bm25: NDArray[np.float64], cosine: NDArray[np.float64], weights: Weights
) -> Scored:
    """Rank by the weighted sum: both are the true scores of every chunk, none is missing."""
    return ranked(chunk_ids, weights.lexical * bm25 + weights.dense * cosine)


def diversify(relevances: NDArray[np.float64], vectors: NDArray[np.float32], diversity: float) -> NDArray[np.intp]:
    """The places (n,) of candidates in an order that trades relevance for variety: maximal marginal relevance.

    Each next one has the highest `(1 - diversity) * relevance - diversity * likeness`, likeness being its highest
    cosine with any before it (Carbonell and Goldstein, "The use of MMR", SIGIR 1998). Vectors are (n, d), of unit
    length or zero.
    """
    likeness = np.clip(vectors @ vectors.T, 0.0, 1.0)
    nearest = np.zeros(len(relevances))
    left = np.ones(len(relevances), np.bool_)
    order = np.empty(len(relevances), np.intp)
    for place in range(len(relevances)):
        worth = np.where(left, (1 - diversity) * relevances - diversity * nearest, -np.inf)
        order[place] = chosen = int(worth.argmax())
        left[chosen] = False
        nearest = np.maximum(nearest, likeness[chosen])
    return order
