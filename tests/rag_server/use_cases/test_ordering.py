"""How a reranker changes the order of an answer, and what becomes of it when time or model fail."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rag_server.bootstrap.searching import searching
from rag_server.domain.errors import RerankerNotConfigured
from rag_server.domain.search import Degradation, Query, RerankWish
from rag_server.model_ports import Reranker
from rag_server.use_cases import ordering
from rag_server.use_cases.searching import SEARCH_THREADS, Searching
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.searched_library import MODELS, Library
from tests.fakes.serving_views import following, texts
from tests.fakes.word_reranker import WordReranker


@dataclass
class NumberReranker(WordReranker):
    """Gives a passage the share that its last word, a number, is of 100; fails or dawdles where it is told to."""

    read: list[str] = field(default_factory=list)
    fails: bool = False

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        assert query
        if self.fails:
            raise RuntimeError("no memory")
        self.read += texts
        return np.array([int(text.split()[-1]) / 100 for text in texts], np.float32)


Searcher = Callable[[Reranker], Searching]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[MemoryChangeLog, Searcher]]:
    log = MemoryChangeLog()
    log.publish("a", texts(*(f"obra pública {'de saneamento ' * (n % 4)}número {n}" for n in range(60))))
    with ThreadPoolExecutor(SEARCH_THREADS) as executor, following(log, tmp_path) as follower:

        def over(reranker: Reranker) -> Searching:
            return searching(follower, log, replace(MODELS, reranker=reranker), executor)

        yield log, over


def query(**how: Any) -> Query:
    return replace(Query("obra de saneamento", "default", 10, min_sequence=1), **how)


def numbers(answer_texts: Sequence[str]) -> list[int]:
    return [int(text.split()[-1]) for text in answer_texts]


async def test_the_best_stand_as_the_reranker_says_and_the_rest_behind_them(
    shelf: tuple[MemoryChangeLog, Searcher],
) -> None:
    reranker = NumberReranker()
    over = shelf[1](reranker)
    plain = await over.search(query(limit=60, rerank=RerankWish.OFF))
    assert reranker.read == []
    answer = await over.search(query(limit=60, explain=True))
    found = numbers([hit.passage.text for hit in answer.hits])
    was = numbers([hit.passage.text for hit in plain.hits])
    assert found[:30] == sorted(was[:30], reverse=True)
    assert found[30:] == was[30:]
    assert answer.degraded == ()
    head = answer.hits[:30]
    assert [hit.score for hit in head] == pytest.approx([number / 100 for number in found[:30]])
    assert [hit.relevance for hit in head] == pytest.approx([hit.score for hit in head])
    assert all(hit.explanation and hit.explanation.rerank == pytest.approx(hit.score) for hit in head)
    assert all(hit.explanation and hit.explanation.rerank is None for hit in answer.hits[30:])
    assert answer.explanation is not None
    assert answer.explanation.models.reranker_fingerprint == reranker.fingerprint


async def test_pages_of_a_reranked_answer_fit_together(shelf: tuple[MemoryChangeLog, Searcher]) -> None:
    reranker = NumberReranker()
    over = shelf[1](reranker)
    whole = [hit.passage.chunk_id for hit in (await over.search(query(limit=60))).hits]
    pages = [await over.search(query(limit=20, first=first)) for first in (0, 20, 40)]
    assert [hit.passage.chunk_id for page in pages for hit in page.hits] == whole
    assert len(reranker.read) == 30, "the order is remembered: nothing is read again"


async def test_a_reranker_that_fails_leaves_the_order_of_the_scores(shelf: tuple[MemoryChangeLog, Searcher]) -> None:
    over = shelf[1](NumberReranker(fails=True))
    plain = await over.search(query(rerank=RerankWish.OFF))
    answer = await over.search(query())
    assert answer.degraded == (Degradation.NO_RERANK,)
    assert [hit.passage.chunk_id for hit in answer.hits] == [hit.passage.chunk_id for hit in plain.hits]


async def test_without_time_nothing_is_reranked_and_the_answer_says_so(
    shelf: tuple[MemoryChangeLog, Searcher],
) -> None:
    reranker = NumberReranker()
    answer = await shelf[1](reranker).search(query(deadline_s=time.monotonic()))
    assert answer.degraded == (Degradation.NO_RERANK,)
    assert len(answer.hits) == 10
    assert reranker.read == []


async def test_when_the_time_runs_out_the_first_stand_reranked(
    shelf: tuple[MemoryChangeLog, Searcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(1_000))
    clock = SimpleNamespace(monotonic=lambda: next(ticks) * ordering.RERANK_S / 3)
    monkeypatch.setattr("rag_server.use_cases.ordering.time", clock)
    reranker = NumberReranker()
    answer = await shelf[1](reranker).search(query(limit=30, explain=True))
    assert answer.degraded == (Degradation.RERANK_PARTIAL,)
    assert 0 < len(reranker.read) < 30
    given = [hit.explanation.rerank is not None for hit in answer.hits if hit.explanation]
    assert given == sorted(given, reverse=True)
    assert sum(given) == len(reranker.read)


async def test_what_was_cut_short_is_not_remembered(shelf: tuple[MemoryChangeLog, Searcher]) -> None:
    reranker = NumberReranker()
    over = shelf[1](reranker)
    await over.search(query(deadline_s=time.monotonic()))
    assert (await over.search(query())).degraded == ()


async def test_a_server_without_a_reranker_refuses_to_rerank(library: Library) -> None:
    with pytest.raises(RerankerNotConfigured):
        await library.searching.search(query(rerank=RerankWish.ON))
