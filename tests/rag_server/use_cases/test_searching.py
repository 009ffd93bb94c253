"""Searches over real indexes and a hand-written store."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag_server.adapters.tantivy.words import TantivyWords
from rag_server.bootstrap.searching import searching
from rag_server.domain.errors import IndexBehind
from rag_server.domain.search import Degradation, Query, SearchMode
from rag_server.use_cases import searching as module
from rag_server.use_cases.retrieving import WordsFailed
from rag_server.use_cases.searching import SEARCH_THREADS, Searching
from tests.fakes.change_log import MemoryChangeLog, Text
from tests.fakes.searched_library import LONG_S, MODELS, Library
from tests.fakes.serving_views import EMBEDDER, following, texts


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


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.LEXICAL])
async def test_a_quoted_phrase_and_what_is_excluded_are_conditions(library: Library, mode: SearchMode) -> None:
    for n, text in enumerate(["obra nova do metrô", "nova obra", "obra nova da escola", "outra coisa"]):
        library.log.publish(f"d{n}", texts(text))
    await library.level()
    assert set(await library.found('"obra nova"', mode)) == {"obra nova do metrô", "obra nova da escola"}
    assert set(await library.found('"obra nova" -metro', mode)) == {"obra nova da escola"}
    assert "obra nova do metrô" not in await library.found("obra -metrô", mode)


async def test_exclusion_reaches_past_the_first_candidates(library: Library) -> None:
    library.log.publish("many", texts(*["obra do metrô"] * 150))
    library.log.publish("one", texts("obra da escola"))
    await library.level()
    assert await library.found("obra -metrô") == ["obra da escola"]


async def test_a_phrase_that_stands_nowhere_is_looked_for_by_its_words_and_that_is_said(library: Library) -> None:
    library.log.publish("a", texts("nova obra do metrô", "nova obra"))
    await library.level()
    answer = await library.ask('"obra nova" -metrô')
    assert [hit.passage.text for hit in answer.hits] == ["nova obra"]
    assert answer.degraded == (Degradation.NO_PHRASE,)


@pytest.mark.parametrize(
    ("mode", "marked"),
    [(SearchMode.HYBRID, ["licitações", "obra"]), (SearchMode.LEXICAL, ["licitações", "obra"]), (SearchMode.DENSE, [])],
)
async def test_words_of_the_query_are_marked_on_request_where_words_were_looked_for(
    library: Library, mode: SearchMode, marked: list[str]
) -> None:
    library.log.publish("a", texts("As licitações e a obra."))
    await library.level()
    query = Query("obra licitacoes", "default", 10, mode, highlight=True)
    (hit,) = (await library.searching.search(query)).hits
    assert [hit.passage.text[mark.start : mark.end] for mark in hit.marks] == marked
    assert (await library.ask("obra licitacoes", mode)).hits[0].marks == ()


async def test_marks_that_cannot_be_had_are_left_out(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.log.publish("a", texts("obra"))
    await library.level()

    def fail(*_: object) -> None:
        raise RuntimeError("no marks")

    monkeypatch.setattr(TantivyWords, "marks_in", fail)
    (hit,) = (await library.searching.search(Query("obra", "default", 10, highlight=True))).hits
    assert hit.marks == ()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200) | st.text('ob1c "-*.é“/', max_size=60), mode=st.sampled_from(SearchMode))
def test_any_text_is_answered(standing: Searching, text: str, mode: SearchMode) -> None:
    answer = asyncio.run(standing.search(Query(text, "default", 5, mode, highlight=True, explain=True)))
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    assert set(answer.degraded) <= {Degradation.NO_PHRASE}


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searching]:
    log = MemoryChangeLog()
    log.publish("a", texts("obra pública 1", "licitação é 2/2018", "o b c", "中文 é"))
    with (
        ThreadPoolExecutor(SEARCH_THREADS) as executor,
        following(log, tmp_path_factory.mktemp("standing")) as follower,
    ):
        assert asyncio.run(follower.wait_for(log.last_sequence(), LONG_S))
        yield searching(follower, log, MODELS, executor)
