"""Which candidates there are, with which scores, and how many of them are settled."""

import numpy as np
import pytest

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
        each = (" ".join(random.choice(WORDS, 4)) + f" {document} {n}" for n in range(passages))
        library.log.publish(f"d{document}", texts(*each))
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
