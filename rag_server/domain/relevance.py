"""How likely a passage answers the query: a score made comparable between queries.

A logistic model (Platt 1999) of one number, the score on an absolute scale: of words, BM25 by the geometric mean of
what the best passage has and what a passage with every word would have; of meaning, the cosine; of both, their sum as
they are fused. That number counts once as it is, and once more for what comes near the best of the answer.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.ranking import DENSE_WEIGHTS, ModelKind
from rag_server.domain.search import SearchMode

# The higher, the nearer the best of the answer a passage must come to gain from it.
PEAK_POWER = 8
_LEAST_BM25 = 1e-6  # less is nothing


@dataclass(frozen=True, slots=True)
class Calibration:
    """The coefficients of the logarithm of the odds."""

    intercept: float
    slope: float  # above 0, so that relevance grows with the score
    peak: float  # not below 0, likewise


# Printed by `python -m bench.calibration` (docs/decisions/0016-relevance.md).
CALIBRATIONS: Mapping[ModelKind, Mapping[SearchMode, Calibration]] = {
    ModelKind.STATIC: {
        SearchMode.HYBRID: Calibration(-6.66, 3.93, 1.09),
        SearchMode.LEXICAL: Calibration(-5.89, 4.23, 1.52),
        SearchMode.DENSE: Calibration(-6.75, 4.18, 3.86),
    },
    ModelKind.TRANSFORMER: {
        SearchMode.HYBRID: Calibration(-6.95, 3.28, 0.97),
        SearchMode.LEXICAL: Calibration(-5.86, 4.20, 1.52),
        SearchMode.DENSE: Calibration(-6.76, 4.90, 3.45),
    },
}


def relevance(
    scores: NDArray[np.float64], mode: SearchMode, kind: ModelKind, best_bm25: float, full_bm25: float
) -> NDArray[np.float64]:
    """(n,) from 0 to 1 for the scores (n,) of one answer, the best of them included; grows with the score.

    `mode` is how the scores came about, not what was asked for: without a vector a hybrid search is LEXICAL, without
    words DENSE. DENSE needs neither of the BM25 figures. Where the query has no words that weigh anything, a hybrid
    score is only its cosine, weighted, and is taken for that.
    """
    if mode is SearchMode.HYBRID and full_bm25 <= 0:
        return relevance(scores / DENSE_WEIGHTS[kind], SearchMode.DENSE, kind, best_bm25, full_bm25)
    calibration = CALIBRATIONS[kind][mode]
    level, peak = evidence(scores, mode, best_bm25, full_bm25)
    log_odds = calibration.intercept + calibration.slope * level + calibration.peak * peak
    # The logistic function, which does not overflow when it is written so.
    return 0.5 * (1.0 + np.tanh(0.5 * log_odds))


def evidence(
    scores: NDArray[np.float64], mode: SearchMode, best_bm25: float, full_bm25: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the model goes by: the score on its absolute scale (n,), and the same, fading below the best (n,)."""
    level = scores / _scale(best_bm25, full_bm25) if mode is SearchMode.LEXICAL else scores
    above = np.maximum(level, 0.0)
    best = float(above.max(initial=0.0))
    return level, above * (above / best) ** PEAK_POWER if best > 0 else np.zeros_like(level)


def _scale(best_bm25: float, full_bm25: float) -> float:
    scale = math.sqrt(best_bm25 * full_bm25) if full_bm25 > 0 else best_bm25
    return scale if scale > _LEAST_BM25 else 1.0
