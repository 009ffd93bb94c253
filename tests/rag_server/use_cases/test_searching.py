"""Searches over real indexes and a hand-written store."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.domain.errors import IndexBehind
from rag_server.domain.search import Answer, Degradation, Query, SearchMode
from rag_server.use_cases import searching as module
from rag_server.use_cases.retrieving import Question, WordsFailed
from rag_server.use_cases.searching import Searching
from rag_server.views.follower import Follower
from tests.fakes.change_log import MemoryChangeLog, Text
from tests.fakes.serving_views import EMBEDDER, following, texts

LONG_S = 20.0


class Library:
    """A store, its views, and searches in them."""

    def __init__(self, log: MemoryChangeLog, follower: Follower, executor: ThreadPoolExecutor) -> None:
        self.log = log
        self.follower = follower
        self.searching = Searching(follower, log, EMBEDDER, 1.0, executor)

    async def level(self) -> None:
        self.follower.poke()
        assert await self.follower.wait_for(self.log.last_sequence(), LONG_S)

    async def ask(self, text: str, mode: SearchMode = SearchMode.HYBRID, limit: int = 10) -> Answer:
        return await self.searching.search(Query(text, "default", limit, mode))

    async def found(self, text: str, mode: SearchMode = SearchMode.HYBRID, limit: int = 10) -> list[str]:
        return [hit.passage.text for hit in (await self.ask(text, mode, limit)).hits]


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    log = MemoryChangeLog()
    with ThreadPoolExecutor(2) as executor, following(log, tmp_path) as follower:
        yield Library(log, follower, executor)


@pytest.mark.parametrize("mode", SearchMode)
async def test_the_passage_with_the_words_comes_first(library: Library, mode: SearchMode) -> None:
    for n, text in enumerate(["licitação pública", "manutenção do elevador", "ata da reunião"]):
        library.log.publish(f"d{n}", texts(text))
    await library.level()
    answer = await library.ask("manutenção do elevador", mode)
    assert answer.hits[0].passage.text == "manutenção do elevador"
    assert answer.hits[0].passage.document_id == "d1"
    assert answer.index_sequence == 3
    assert answer.degraded == ()
    assert answer.took_s > 0
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)


async def test_hybrid_finds_what_only_one_of_the_indexes_finds(library: Library) -> None:
    library.log.publish("a", [Text("licitação", np.zeros(EMBEDDER.dimensions, np.float32))])
    library.log.publish("b", [Text("sem palavra comum", EMBEDDER.embed_query("licitação"))])
    await library.level()
    assert set(await library.found("licitação")) == {"licitação", "sem palavra comum"}


async def test_an_unknown_collection_has_no_passages(library: Library) -> None:
    library.log.publish("a", texts("licitação"))
    await library.level()
    answer = await library.searching.search(Query("licitação", "nowhere", 10))
    assert answer.hits == ()


@pytest.mark.parametrize("text", ["", "   ", "\ud800", "!!!", "\x00"])
@pytest.mark.parametrize("mode", SearchMode)
async def test_a_query_without_a_word_has_no_passages(library: Library, text: str, mode: SearchMode) -> None:
    library.log.publish("a", texts("licitação"))
    await library.level()
    assert (await library.ask(text, mode)).hits == ()


async def test_of_a_document_without_a_known_word_only_words_count(library: Library) -> None:
    library.log.publish("a", [Text("licitação", np.zeros(EMBEDDER.dimensions, np.float32))])
    await library.level()
    assert await library.found("licitação", SearchMode.DENSE) == []
    assert await library.found("licitação", SearchMode.LEXICAL) == ["licitação"]


@pytest.mark.parametrize("mode", SearchMode)
async def test_what_is_gone_from_the_store_is_not_shown_though_the_index_has_it(
    library: Library, mode: SearchMode
) -> None:
    library.log.publish("stale", texts(*["obra pública"] * 150))
    library.log.publish("stands", texts("obra pública de saneamento", "obra pública de uma escola"))
    await library.level()
    with library.log.lock:
        del library.log.current["stale"]  # as if the views had not followed yet
    assert set(await library.found("obra pública", mode, limit=2)) == {
        "obra pública de saneamento",
        "obra pública de uma escola",
    }


async def test_what_another_collection_has_is_not_shown_though_the_index_says_so(library: Library) -> None:
    library.log.publish("a", texts("obra"))
    await library.level()
    version, chunks = library.log.current["a"]
    library.log.current["a"] = (version, [replace(chunk, collection="secret") for chunk in chunks])
    assert await library.found("obra") == []


async def test_as_many_hits_come_as_were_asked_for(library: Library) -> None:
    library.log.publish("a", texts(*(f"obra {n}" for n in range(250))))
    await library.level()
    for mode in SearchMode:
        for limit in (1, 10, 100):
            assert len((await library.ask("obra", mode, limit)).hits) == limit


async def test_a_model_that_fails_leaves_the_words(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.log.publish("a", texts("licitação"))
    await library.level()

    def fail(_text: str) -> NDArray[np.float32]:
        raise RuntimeError("no model")

    monkeypatch.setattr(EMBEDDER, "embed_query", fail)
    for mode in (SearchMode.HYBRID, SearchMode.DENSE):
        answer = await library.ask("licitação", mode)
        assert [hit.passage.text for hit in answer.hits] == ["licitação"]
        assert answer.degraded == (Degradation.NO_DENSE,)
    assert (await library.ask("licitação", SearchMode.LEXICAL)).degraded == ()


async def test_a_word_index_that_fails_leaves_the_meaning(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.log.publish("a", texts("licitação"))
    await library.level()

    def fail(*_: object) -> None:
        raise OSError("a segment is gone")

    monkeypatch.setattr(TantivyWords, "search", fail)
    for mode in (SearchMode.HYBRID, SearchMode.LEXICAL):
        answer = await library.ask("licitação", mode)
        assert [hit.passage.text for hit in answer.hits] == ["licitação"]
        assert answer.degraded == (Degradation.NO_LEXICAL,)
    assert (await library.ask("licitação", SearchMode.DENSE)).degraded == ()
    monkeypatch.setattr(EMBEDDER, "embed_query", fail)
    with pytest.raises((WordsFailed, OSError)):
        await library.ask("licitação")


async def test_a_search_waits_for_the_sequence_it_asks_for(library: Library) -> None:
    library.log.publish("a", texts("licitação"))
    await library.level()
    asked = asyncio.create_task(library.searching.search(Query("novo", "default", 10, min_sequence=2)))
    await asyncio.sleep(0)
    library.log.publish("b", texts("novo texto"))
    library.follower.poke()
    answer = await asked
    assert answer.index_sequence >= 2
    assert answer.hits[0].passage.text == "novo texto"


async def test_an_index_that_does_not_reach_the_sequence_in_time_is_an_error(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEHIND_WAIT_S", 0.01)
    with pytest.raises(IndexBehind):
        await library.searching.search(Query("novo", "default", 10, min_sequence=99))


async def test_a_deleted_document_is_gone_at_once_before_the_views_follow(library: Library) -> None:
    library.log.publish("a", texts("licitação"))
    await library.level()
    library.log.delete("a")
    assert await library.found("licitação") == []


async def test_candidates_carry_the_true_scores_of_both_indexes(library: Library) -> None:
    library.log.publish("a", texts(*(f"obra {'pública ' * (n % 5)} número {n}" for n in range(60))))
    await library.level()
    state = library.follower.current()
    vector = EMBEDDER.embed_query("obra pública número 7")
    question = Question(state, "default", "obra pública número 7", by_words=True, vector=vector, dense_weight=1.0)
    all_of_them, every = question.candidates(1_000, 1_000)
    assert every
    score_of = dict(zip(all_of_them.chunk_ids.tolist(), all_of_them.scores.tolist(), strict=True))
    for wanted in (1, 3, 10, 20):
        few, every = question.candidates(10, wanted)
        assert not every
        assert min(wanted, 10) <= len(few) <= 20
        np.testing.assert_allclose(few.scores, [score_of[chunk_id] for chunk_id in few.chunk_ids.tolist()], rtol=1e-5)
        np.testing.assert_allclose(few.scores[:1], all_of_them.scores[:1], rtol=1e-5)


async def test_the_best_are_the_same_whether_all_scores_were_needed_or_not(library: Library) -> None:
    words = ("obra", "pública", "licitação", "escola", "prazo", "multa")
    random = np.random.default_rng(5)
    library.log.publish("a", texts(*(" ".join(random.choice(words, 4)) + f" {n}" for n in range(150))))
    await library.level()
    state = library.follower.current()
    for text in ("obra pública", "licitação escola multa", "prazo 17 multa"):
        vector = EMBEDDER.embed_query(text)
        question = Question(state, "default", text, by_words=True, vector=vector, dense_weight=1.0)
        union, _ = question.candidates(20, 1_000)
        for wanted in (1, 2, 5):
            few, _ = question.candidates(20, wanted)
            assert len(few) >= wanted
            assert few.chunk_ids.tolist() == union.chunk_ids.tolist()[: len(few)]
