from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag_server.domain.ranking import Scored, fuse, ranked

Rows = list[tuple[int, float, float]]

SCORES = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.5, 12.0])
COSINES = st.sampled_from([-0.5, 0.0, 0.1, 0.5, 0.9, 1.0])
ROWS = st.lists(st.tuples(st.integers(1, 50), SCORES, COSINES), max_size=30, unique_by=lambda row: row[0])
WEIGHTS = st.floats(0, 2)


def _columns(
    rows: list[tuple[int, float, float]],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    chunk_ids = np.array([row[0] for row in rows], np.int64)
    return chunk_ids, np.array([row[1] for row in rows], np.float64), np.array([row[2] for row in rows], np.float64)


@given(ROWS, WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(rows: Rows, weight: float, random: Random) -> None:
    shuffled = random.sample(rows, len(rows))
    one, other = fuse(*_columns(rows), weight), fuse(*_columns(shuffled), weight)
    assert one.chunk_ids.tolist() == other.chunk_ids.tolist()
    assert one.scores.tolist() == other.scores.tolist()


@given(ROWS, WEIGHTS)
def test_scores_fall_and_of_equal_ones_the_lower_id_comes_first(rows: Rows, weight: float) -> None:
    fused = fuse(*_columns(rows), weight)
    keys = list(zip((-fused.scores).tolist(), fused.chunk_ids.tolist(), strict=True))
    assert keys == sorted(keys)
    assert sorted(fused.chunk_ids.tolist()) == sorted(row[0] for row in rows)


@given(ROWS, WEIGHTS)
def test_a_chunk_that_is_better_in_both_is_never_ranked_lower(rows: Rows, weight: float) -> None:
    score_of = _score_of(fuse(*_columns(rows), weight))
    for one_id, one_bm25, one_cosine in rows:
        for other_id, other_bm25, other_cosine in rows:
            if one_bm25 >= other_bm25 and one_cosine >= other_cosine:
                assert score_of[one_id] >= score_of[other_id]


@given(ROWS, WEIGHTS, st.sampled_from([0.5, 2.0, 4.0]))
def test_the_scale_of_bm25_does_not_matter(rows: Rows, weight: float, scale: float) -> None:
    chunk_ids, bm25, cosine = _columns(rows)
    assert (
        fuse(chunk_ids, bm25, cosine, weight).scores.tolist()
        == fuse(chunk_ids, bm25 * scale, cosine, weight).scores.tolist()
    )


def test_the_best_by_words_and_a_perfect_cosine_are_worth_one_and_the_weight() -> None:
    fused = fuse(np.array([7, 8]), np.array([5.0, 0.0]), np.array([0.0, 1.0]), 1.3)
    assert fused.chunk_ids.tolist() == [8, 7]
    assert fused.scores.tolist() == [1.3, 1.0]


def test_without_a_word_found_only_the_cosine_counts() -> None:
    fused = fuse(np.array([1, 2]), np.zeros(2), np.array([0.1, 0.4]), 1.0)
    assert fused.chunk_ids.tolist() == [2, 1]


def test_a_limit_keeps_the_best() -> None:
    best = ranked(np.array([3, 1, 2]), np.array([0.5, 0.5, 0.9]), 2)
    assert best.chunk_ids.tolist() == [2, 1]


def _score_of(scored: Scored) -> dict[int, float]:
    return dict(zip(scored.chunk_ids.tolist(), scored.scores.tolist(), strict=True))
