"""How good rankings of documents are."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

TOP = 10
DEEP = 100


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over all queries, each 0 to 1."""

    ndcg_at_10: float
    recall_at_10: float
    recall_at_100: float
    mrr_at_10: float


def distinct(keys: Iterable[str]) -> list[str]:
    """Documents in the order of their best passages."""
    return list(dict.fromkeys(keys))


def quality_of(rankings: Sequence[tuple[Sequence[str], Mapping[str, float]]]) -> Quality:
    """Each ranking, best first and without repetitions, with the relevance of its query's documents."""
    return Quality(
        ndcg_at_10=fmean(ndcg(ranking, relevance, TOP) for ranking, relevance in rankings),
        recall_at_10=fmean(recall(ranking, relevance, TOP) for ranking, relevance in rankings),
        recall_at_100=fmean(recall(ranking, relevance, DEEP) for ranking, relevance in rankings),
        mrr_at_10=fmean(reciprocal_rank(ranking, relevance, TOP) for ranking, relevance in rankings),
    )


def ndcg(ranking: Sequence[str], relevance: Mapping[str, float], depth: int) -> float:
    """Discounted cumulative gain, the gain being the relevance, by that of the best possible ranking."""
    gained = _discounted(relevance.get(key, 0.0) for key in ranking[:depth])
    return gained / _discounted(sorted(relevance.values(), reverse=True)[:depth])


def recall(ranking: Sequence[str], relevance: Mapping[str, float], depth: int) -> float:
    """The share of the relevant documents that is among the first."""
    return len(relevance.keys() & set(ranking[:depth])) / len(relevance)


def reciprocal_rank(ranking: Sequence[str], relevance: Mapping[str, float], depth: int) -> float:
    """One by the rank of the first relevant document; 0 where none is among the first."""
    return next((1 / rank for rank, key in enumerate(ranking[:depth], start=1) if key in relevance), 0.0)


def _discounted(gains: Iterable[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
