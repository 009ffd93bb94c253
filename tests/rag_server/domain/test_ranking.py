from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag_server.domain.explanation import Weights
from rag_server.domain.ranking import Scored, fuse, ranked, weigh

Rows = list[tuple[int, float, float]]

SCORES = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.5, 12.0])
COSINES = st.sampled_from([-0.5, 0.0, 0.1, 0.5, 0.9, 1.0])
ROWS = st.lists(st.tuples(st.integers(1, 50), SCORES, COSINES), max_size=30, unique_by=lambda row: row[0])
WEIGHTS = st.builds(Weights, st.floats(0, 2), st.floats(0, 2))


def _columns(
    rows: list[tuple[int, float, float]],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    chunk_ids = np.array([row[0] for row in rows], np.int64)
    return chunk_ids, np.array([row[1] for row in rows], np.float64), np.array([row[2] for row in rows], np.float64)


@given(ROWS, WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(rows: Rows, weights: Weights, random: Random) -> None:
    shuffled = random.sample(rows, len(rows))
    one, other = fuse(*_columns(rows), weights), fuse(*_columns(shuffled), weights)
    assert one.chunk_ids.tolist() == other.chunk_ids.tolist()
    assert one.scores.tolist() == other.scores.tolist()


@given(ROWS, WEIGHTS)
def test_scores_fall_and_of_equal_ones_the_lower_id_comes_first(rows: Rows, weights: Weights) -> None:
    fused = fuse(*_columns(rows), weights)
    keys = list(zip((-fused.scores).tolist(), fused.chunk_ids.tolist(), strict=True))
    assert keys == sorted(keys)
    assert sorted(fused.chunk_ids.tolist()) == sorted(row[0] for row in rows)


@given(ROWS, WEIGHTS)
def test_a_chunk_that_is_better_in_both_is_never_ranked_lower(rows: Rows, weights: Weights) -> None:
    score_of = _score_of(fuse(*_columns(rows), weights))
    for one_id, one_bm25, one_cosine in rows:
        for other_id, other_bm25, other_cosine in rows:
            if one_bm25 >= other_bm25 and one_cosine >= other_cosine:
                assert score_of[one_id] >= score_of[other_id]


@given(st.floats(0.1, 50), st.floats(0.1, 50), st.floats(0.1, 20))
def test_the_scale_of_bm25_does_not_matter(best: float, full: float, scale: float) -> None:
    weight = weigh(best, full, 1.0).lexical
    assert weigh(best * scale, full * scale, 1.0).lexical * scale == pytest.approx(weight)


def test_the_best_by_words_counts_one_where_it_has_every_word_and_less_where_it_has_few() -> None:
    assert weigh(8.0, 8.0, 0.5) == Weights(1 / 8, 0.5)
    assert weigh(2.0, 8.0, 0.5).lexical * 2.0 == 0.5


@pytest.mark.parametrize(("best", "full"), [(0.0, 0.0), (0.0, 5.0), (5.0, 0.0)])
def test_without_a_word_found_only_the_cosine_counts(best: float, full: float) -> None:
    weights = weigh(best, full, 1.0)
    fused = fuse(np.array([1, 2]), np.zeros(2), np.array([0.1, 0.4]), weights)
    assert fused.chunk_ids.tolist() == [2, 1]
    assert fused.scores.tolist() == [0.4, 0.1]


def test_the_score_is_the_weighted_sum() -> None:
    fused = fuse(np.array([7, 8]), np.array([5.0, 0.0]), np.array([0.0, 1.0]), Weights(0.2, 1.3))
    assert fused.chunk_ids.tolist() == [8, 7]
    assert fused.scores.tolist() == [1.3, 1.0]


def test_a_limit_keeps_the_best() -> None:
    best = ranked(np.array([3, 1, 2]), np.array([0.5, 0.5, 0.9]), 2)
    assert best.chunk_ids.tolist() == [2, 1]


def _score_of(scored: Scored) -> dict[int, float]:
    return dict(zip(scored.chunk_ids.tolist(), scored.scores.tolist(), strict=True))
