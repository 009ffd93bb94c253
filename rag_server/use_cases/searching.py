"""Searching: by words, by meaning, or by both, and only what may be shown."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from rag_server.domain.errors import IndexBehind, RerankerNotConfigured
from rag_server.domain.explanation import Remembered, Stage
from rag_server.domain.search import Answer, Degradation, Query, RerankWish
from rag_server.index_ports import Indexes
from rag_server.use_cases.answering import Answering
from rag_server.use_cases.gathering import Gathering
from rag_server.use_cases.ordering import Ordered, Ordering
from rag_server.use_cases.preparing import Prepared, Preparing
from rag_server.use_cases.remembering import OrderKey, Recalled, Remembering, key_of
from rag_server.use_cases.retrieving import CANDIDATES, Question, WordsFailed
from serving import logs

BEHIND_WAIT_S = 10.0
SEARCH_THREADS = 4
BATCH = 16

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A query on its way."""

    query: Query
    key: OrderKey
    prepared: Prepared
    recalled: Recalled | None


class Searching:
    """Answers queries from the views; every hit is checked against the store.

    A search is done in one thread of the executor, but that another looks for its words meanwhile. Queries that wait
    for a thread are looked for by vector together.
    """

    def __init__(
        self, indexes: Indexes, preparing: Preparing, ordering: Ordering, answering: Answering, executor: Executor
    ) -> None:
        """The executor has SEARCH_THREADS threads."""
        self._indexes = indexes
        self._preparing = preparing
        self._ordering = ordering
        self._answering = answering
        self._remembering = Remembering()
        self._plain = Gathering(self._answers, executor, SEARCH_THREADS - 2, BATCH)  # one looks for words beside them
        # Reading passages takes a hundred times as long as finding them: it has a thread of its own.
        self._reranked = Gathering(self._answers, executor, 1, 1)

    async def search(self, query: Query) -> Answer:
        """An unknown collection has no passages. Raises IndexBehind, NotReady, InvalidInput, RerankerNotConfigured."""
        started_s = time.perf_counter()
        if query.rerank is RerankWish.ON and self._ordering.reranker is None:
            raise RerankerNotConfigured
        self._preparing.check(query)
        if not await self._indexes.wait_for(query.min_sequence, BEHIND_WAIT_S):
            raise IndexBehind(min_sequence=str(query.min_sequence))
        lane = self._reranked if self._ordering.reranks(query) else self._plain
        answer = await lane.ask(query)
        return replace(answer, took_s=time.perf_counter() - started_s)

    def _answers(self, queries: Sequence[Query]) -> Iterator[Answer | Exception]:
        begun = [self._begun(query) for query in queries]
        ahead = self._looked_ahead([asked for asked in begun if isinstance(asked, _Asked) and asked.recalled is None])
        for asked in begun:
            if isinstance(asked, Exception):
                yield asked
                continue
            try:
                yield self._answer(ahead.get(id(asked), asked))
            except Exception as error:  # noqa: BLE001 - handed to the one who asked
                yield error

    def _begun(self, query: Query) -> "_Asked | Exception":
        try:
            state = self._indexes.current()
            key = key_of(query)
            recalled = self._remembering.recall(key, query.normal_text, state.sequence)
            prepared = self._preparing.prepared(query, state, recalled.ordered.question if recalled else None)
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            return error
        return _Asked(query, key, prepared, recalled)

    def _looked_ahead(self, asked: Sequence[_Asked]) -> dict[int, _Asked]:
        """Those that can be looked for by vector together with others, with what was found."""
        alike: dict[tuple[int, str, str], list[_Asked]] = {}
        for each in asked:
            question = each.prepared.question
            if question.vector is not None:
                what = (question.state.sequence, question.collection, each.key.wanted)
                alike.setdefault(what, []).append(each)
        return {
            id(each): found for together in alike.values() if len(together) > 1 for each, found in _together(together)
        }

    def _answer(self, asked: _Asked) -> Answer:
        question, degraded = asked.prepared.question, asked.prepared.degraded
        try:
            return self._from(asked, question, degraded)
        except WordsFailed:
            vector = question.vector if question.vector is not None else self._preparing.embedded(question)
            if vector is None:
                raise
            _log.exception("word_index_failed")
            by_meaning = replace(question, by_words=False, vector=vector)
            return self._from(replace(asked, recalled=None), by_meaning, (Degradation.NO_LEXICAL,))

    def _from(self, asked: _Asked, question: Question, degraded: tuple[Degradation, ...]) -> Answer:
        """Raises WordsFailed."""
        query = asked.query
        ordered = self._ordered(asked, question, degraded)
        page = self._answering.page(query, ordered)
        if not page.hits and not len(ordered.chunk_ids) and question.by_words and question.wording.phrases:
            relaxed = replace(question, wording=question.wording.without_phrases, lexical_ahead=None)
            degraded = (*degraded, Degradation.NO_PHRASE)
            page = self._answering.page(query, self._ordered(replace(asked, recalled=None), relaxed, degraded))
        self._remembering.remember(asked.key, query.normal_text, page.ordered)
        return self._answering.answer(query, page, asked.recalled.how if asked.recalled else Remembered.MISS)

    def _ordered(self, asked: _Asked, question: Question, degraded: tuple[Degradation, ...]) -> Ordered:
        if asked.recalled is not None:
            return replace(asked.recalled.ordered, question=question)
        ordered = self._ordering.ordered(question, asked.query, asked.query.first + asked.query.limit)
        return replace(ordered, degraded=(*degraded, *ordered.degraded))


def _together(asked: Sequence[_Asked]) -> Iterator[tuple[_Asked, _Asked]]:
    """Each with the nearest chunks of its query, which were looked for at once."""
    questions = [each.prepared.question for each in asked]
    first = questions[0]
    vectors = np.stack([question.vector for question in questions if question.vector is not None])
    begun_s = time.perf_counter()
    found = first.state.vectors.search(first.collection, vectors, CANDIDATES, first.within)
    share_s = (time.perf_counter() - begun_s) / len(asked)
    for each, question, dense in zip(asked, questions, found, strict=True):
        question.clock.add(Stage.DENSE, share_s)
        prepared = replace(each.prepared, question=replace(question, dense_ahead=dense))
        yield each, replace(each, prepared=prepared)
