import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.evaluation_metrics import distinct, ndcg, quality_of, recall, reciprocal_rank

RANKINGS = st.lists(st.sampled_from("abcdefghij"), unique=True)
RELEVANCE = st.dictionaries(st.sampled_from("abcdefghij"), st.sampled_from([1.0, 2.0, 3.0]), min_size=1)


def test_a_document_ranks_as_its_best_passage() -> None:
    assert distinct(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


def test_gains_are_discounted_by_rank_and_compared_with_the_best_ranking() -> None:
    relevance = {"a": 2.0, "b": 1.0}
    assert ndcg(["a", "b"], relevance, 10) == 1.0
    reached = 1.0 + 2.0 / math.log2(3)
    assert ndcg(["b", "a"], relevance, 10) == pytest.approx(reached / (2.0 + 1.0 / math.log2(3)))
    assert ndcg(["x", "a"], {"a": 1.0}, 1) == 0.0


def test_recall_is_the_share_that_was_found() -> None:
    assert recall(["x", "a", "b"], {"a": 1.0, "b": 1.0, "c": 1.0}, 2) == pytest.approx(1 / 3)


def test_the_reciprocal_rank_is_that_of_the_first_relevant_document() -> None:
    assert reciprocal_rank(["x", "y", "a", "b"], {"a": 1.0, "b": 1.0}, 10) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "a"], {"a": 1.0}, 1) == 0.0


@given(RANKINGS, RELEVANCE)
def test_every_measure_lies_between_nothing_and_one(ranking: list[str], relevance: dict[str, float]) -> None:
    quality = quality_of([(ranking, relevance), (ranking[::-1], relevance)])
    for value in (quality.ndcg_at_10, quality.recall_at_10, quality.recall_at_100, quality.mrr_at_10):
        assert 0 <= value <= 1 + 1e-9
