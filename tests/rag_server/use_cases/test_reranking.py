"""Documents are ordered by how well they answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rag_server.domain.errors import ModelNotFound, RerankerNotConfigured
from rag_server.domain.model import ModelUse, RerankOrder
from rag_server.use_cases import reranking as module
from rag_server.use_cases.reranking import Reranking
from rag_server.use_cases.taking_turns import TakingTurns
from serving.errors import Exhausted, InvalidInput
from tests.fakes.word_reranker import WordReranker


@pytest.fixture
def turns() -> Iterator[TakingTurns]:
    with ThreadPoolExecutor(1) as executor:
        yield TakingTurns(executor, most_batches=1)


@pytest.fixture
def reranking(turns: TakingTurns) -> Reranking:
    return Reranking(WordReranker(), turns)


def order(*documents: str, query: str = "lei de licitações", model: str = "", top_n: int = 0) -> RerankOrder:
    return RerankOrder(query, documents, model, top_n)


async def test_the_best_comes_first_and_equals_keep_their_order(reranking: Reranking) -> None:
    reranked = await reranking.rerank(order("nada", "lei", "a lei de licitações", "de"))
    assert reranked.places.tolist() == [2, 1, 3, 0]
    assert np.allclose(reranked.scores, [1, 1 / 3, 1 / 3, 0])
    assert reranked.token_count == 4 * 3 + 1 + 1 + 4 + 1
    assert reranked.model == "words"


async def test_only_as_many_as_asked_for_are_told(reranking: Reranking) -> None:
    assert (await reranking.rerank(order("nada", "lei", "de lei", top_n=2))).places.tolist() == [2, 1]
    assert len((await reranking.rerank(order("lei", top_n=9))).places) == 1


async def test_many_documents_are_scored_in_turns_each_with_its_own_score(reranking: Reranking) -> None:
    documents = ["lei " + "x " * (number % 37) + ("de licitações" if number == 700 else "") for number in range(1_000)]
    reranked = await reranking.rerank(order(*documents))
    assert reranked.places[0] == 700
    assert sorted(reranked.places.tolist()) == list(range(1_000))


async def test_without_a_reranker_it_says_what_to_set(turns: TakingTurns) -> None:
    reranking = Reranking(None, turns)
    with pytest.raises(RerankerNotConfigured, match="ACERVO_RERANKER"):
        await reranking.rerank(order("a"))
    assert reranking.models == []


async def test_it_is_listed_and_answers_to_its_name_only(reranking: Reranking) -> None:
    (model,) = reranking.models
    assert (model.name, model.use, model.max_tokens) == ("words", ModelUse.RERANKER, 64)
    assert len((await reranking.rerank(order("a", model="Words"))).places) == 1
    with pytest.raises(ModelNotFound):
        await reranking.rerank(order("a", model="other"))


async def test_limits_hold(reranking: Reranking, turns: TakingTurns, monkeypatch: pytest.MonkeyPatch) -> None:
    with turns.batch(), pytest.raises(Exhausted):
        await reranking.rerank(order("a"))
    monkeypatch.setattr(module, "MOST_CHARS", 3)
    with pytest.raises(InvalidInput, match="more than 3 characters"):
        await reranking.rerank(order("ab", "cd"))
