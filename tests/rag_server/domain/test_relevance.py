import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.domain.ranking import DENSE_WEIGHTS, ModelKind
from rag_server.domain.relevance import CALIBRATIONS, relevance
from rag_server.domain.search import SearchMode

MODES = st.sampled_from(SearchMode)
KINDS = st.sampled_from(ModelKind)
BM25 = st.floats(0, 200)
# No closer to one another than ten decimal places: nearer scores may be equally relevant.
SCORES = st.lists(st.floats(-1, 60).map(lambda score: round(score, 10)), min_size=1, max_size=20)

every_kind = pytest.mark.parametrize("kind", ModelKind)
every_mode = pytest.mark.parametrize("mode", SearchMode)


@given(SCORES, MODES, KINDS, BM25, BM25)
def test_it_stays_between_0_and_1_and_never_falls_where_the_score_rises(
    scores: list[float], mode: SearchMode, kind: ModelKind, best_bm25: float, full_bm25: float
) -> None:
    likely = relevance(np.sort(np.array(scores)), mode, kind, best_bm25, full_bm25)
    assert likely.shape == (len(scores),)
    assert ((likely >= 0) & (likely <= 1)).all()
    assert (np.diff(likely) >= 0).all()


@given(
    st.lists(st.integers(-200, 200), min_size=2, max_size=20, unique=True),
    MODES,
    KINDS,
    st.floats(1, 200),
    st.floats(1, 200),
)
def test_of_two_usual_scores_the_higher_is_more_relevant(
    hundredths: list[int], mode: SearchMode, kind: ModelKind, best_bm25: float, full_bm25: float
) -> None:
    scores = np.sort(np.array(hundredths)) / 100
    assert (np.diff(relevance(scores, mode, kind, best_bm25, full_bm25)) > 0).all()


@given(SCORES, MODES, KINDS, BM25, BM25, st.floats(0, 1))
def test_a_threshold_keeps_the_first_of_a_ranking(
    scores: list[float], mode: SearchMode, kind: ModelKind, best_bm25: float, full_bm25: float, threshold: float
) -> None:
    descending = np.sort(np.array(scores))[::-1]
    kept = relevance(descending, mode, kind, best_bm25, full_bm25) >= threshold
    assert kept[: int(kept.sum())].all()


@every_kind
@every_mode
def test_an_answer_without_hits_has_no_relevance(kind: ModelKind, mode: SearchMode) -> None:
    assert relevance(np.empty(0), mode, kind, 0.0, 0.0).shape == (0,)


@every_kind
@every_mode
def test_what_has_nothing_of_the_query_is_irrelevant_though_it_is_the_best(kind: ModelKind, mode: SearchMode) -> None:
    assert relevance(np.zeros(1), mode, kind, 0.0, 30.0)[0] < 0.01


@every_kind
def test_the_best_by_words_is_irrelevant_where_only_a_common_word_was_found(kind: ModelKind) -> None:
    assert relevance(np.array([0.6]), SearchMode.LEXICAL, kind, 0.6, 60.0)[0] < 0.02


@every_kind
def test_the_best_by_words_is_likely_where_every_word_was_found(kind: ModelKind) -> None:
    assert relevance(np.array([30.0]), SearchMode.LEXICAL, kind, 30.0, 30.0)[0] > 0.4


@every_kind
@every_mode
def test_the_same_score_says_less_far_below_the_best(kind: ModelKind, mode: SearchMode) -> None:
    alone = relevance(np.array([0.5]), mode, kind, 1.0, 1.0)[0]
    behind = relevance(np.array([1.0, 0.5]), mode, kind, 1.0, 1.0)[1]
    assert behind < alone


@every_kind
def test_a_hybrid_score_of_a_query_without_words_is_read_as_its_cosine(kind: ModelKind) -> None:
    cosine = np.array([0.9, 0.4])
    hybrid = relevance(cosine * DENSE_WEIGHTS[kind], SearchMode.HYBRID, kind, 0.0, 0.0)
    np.testing.assert_allclose(hybrid, relevance(cosine, SearchMode.DENSE, kind, 0.0, 0.0))


@every_kind
def test_words_that_weigh_nothing_are_told_apart_by_the_best(kind: ModelKind) -> None:
    likely = relevance(np.array([2.0, 1.0, 0.0]), SearchMode.LEXICAL, kind, 2.0, 0.0)
    assert likely[0] > likely[1] > likely[2]


@every_kind
@every_mode
def test_every_calibration_grows_with_the_score(kind: ModelKind, mode: SearchMode) -> None:
    calibration = CALIBRATIONS[kind][mode]
    assert calibration.slope > 0
    assert calibration.peak >= 0
