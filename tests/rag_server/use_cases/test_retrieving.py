"""Which candidates there are, with which scores, and how many of them are settled."""

from dataclasses import replace

import numpy as np
import pytest

from rag_server.domain.filter import Comparison, Condition, Field
from rag_server.domain.version_set import VersionSet
from rag_server.domain.wording import wording_of
from rag_server.index_ports import IndexState
from rag_server.use_cases import retrieving
from rag_server.use_cases.retrieving import Question
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import EMBEDDER, texts

WORDS = ("obra", "pública", "licitação", "escola", "prazo", "multa")
QUERIES = ("obra pública", "licitação escola multa", "prazo 17 multa", "multa", "inexistente")


def question(state: IndexState, text: str, within: VersionSet | None = None) -> Question:
    wording, vector = wording_of(text), EMBEDDER.embed_query(text)
    return Question(state, "default", wording, by_words=True, vector=vector, dense_weight=1.0, within=within)


async def _filled(library: Library, documents: int, passages: int) -> IndexState:
    random = np.random.default_rng(5)
    for document in range(documents):
        each = texts(*(" ".join(random.choice(WORDS, 4)) + f" {document} {n}" for n in range(passages)))
        library.log.publish(f"d{document}", [replace(text, page=n) for n, text in enumerate(each, 1)])
    await library.level()
    return library.follower.current()


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieving, "CANDIDATES", 5)


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("text", QUERIES)
async def test_what_is_settled_is_the_order_of_all_scores(library: Library, text: str) -> None:
    state = await _filled(library, 3, 60)
    asked = question(state, text)
    chunk_ids = state.vectors.chunk_ids()
    bm25, cosine = asked.scores_of(chunk_ids)
    for wanted in (1, 2, 7, 40):
        found = asked.candidates(wanted)
        assert found.settled >= wanted
        all_scores = np.sort(found.weights.lexical * bm25 + found.weights.dense * cosine)[::-1]
        np.testing.assert_allclose(found.ranked.scores[: found.settled], all_scores[: found.settled], atol=1e-5)


@pytest.mark.usefixtures("shallow")
async def test_candidates_carry_the_true_scores_of_both_indexes(library: Library) -> None:
    state = await _filled(library, 1, 60)
    asked = question(state, "obra pública número 7")
    found = asked.candidates(20)
    bm25, cosine = asked.scores_of(found.ranked.chunk_ids)
    true = found.weights.lexical * bm25 + found.weights.dense * cosine
    np.testing.assert_allclose(found.ranked.scores, true, rtol=1e-5)


async def test_where_there_are_few_every_one_is_found_and_settled(library: Library) -> None:
    state = await _filled(library, 2, 10)
    found = question(state, "obra pública").candidates(500)
    assert found.every
    assert found.settled == len(found.ranked) == 20


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("text", QUERIES)
async def test_within_versions_only_their_chunks_are_candidates(library: Library, text: str) -> None:
    state = await _filled(library, 20, 10)
    within = VersionSet(np.array([3, 4, 11], np.int64))
    found = question(state, text, within).candidates(30)
    versions = state.vectors.versions_of("default", found.ranked.chunk_ids)
    assert set(versions.tolist()) == {3, 4, 11}
    assert found.settled == 30


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("most_named", [0, 2_000])
@pytest.mark.parametrize("text", QUERIES)
async def test_within_pages_the_order_is_that_of_all_that_are_meant(
    library: Library, text: str, most_named: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieving, "MOST_NAMED", most_named)
    state = await _filled(library, 20, 12)
    within = state.documents.meant("default", Condition(Field.PAGE, Comparison.EQUAL, 7.0))
    assert within.named is not None
    assert len(within.named) == 20
    by_both = question(state, text, within)
    for asked in (by_both, replace(by_both, by_words=False), replace(by_both, vector=None)):
        bm25, cosine = asked.scores_of(within.named)
        for wanted in (1, 7, 60):
            found = asked.candidates(wanted)
            scores = found.weights.lexical * bm25 + found.weights.dense * cosine
            assert set(found.ranked.chunk_ids.tolist()) <= set(within.named.tolist())
            assert found.settled >= min(wanted, np.count_nonzero(scores))
            expected = np.sort(scores)[::-1][: found.settled]
            np.testing.assert_allclose(found.ranked.scores[: found.settled], expected, atol=1e-5)
        assert set(asked.pool(60).chunk_ids.tolist()) == set(within.named[scores != 0].tolist())


@pytest.mark.usefixtures("shallow")
async def test_pages_and_phrases_are_conditions_together(library: Library) -> None:
    state = await _filled(library, 20, 12)
    within = state.documents.meant("default", Condition(Field.PAGE, Comparison.EQUAL, 7.0))
    found = question(state, 'multa "17 6"', within).candidates(5)
    (chunk_id,) = found.ranked.chunk_ids.tolist()
    assert library.log.passages([chunk_id])[chunk_id].text.endswith(" 17 6")


async def test_within_no_version_there_is_nothing(library: Library) -> None:
    state = await _filled(library, 2, 5)
    found = question(state, "obra", VersionSet(np.empty(0, np.int64))).candidates(10)
    assert found.every
    assert not len(found.ranked)


async def test_a_pool_is_the_best_of_what_both_indexes_find(library: Library) -> None:
    state = await _filled(library, 4, 30)
    asked = question(state, "obra pública")
    assert len(asked.pool(50)) == 50
    assert asked.pool(10).chunk_ids.tolist() == asked.pool(50).chunk_ids.tolist()[:10]
