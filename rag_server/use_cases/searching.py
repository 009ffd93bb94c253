"""Searching: by words, by meaning, or by both, and only what may be shown."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from rag_server.domain.errors import IndexBehind, RerankerNotConfigured
from rag_server.domain.explanation import Remembered, Stage
from rag_server.domain.search import Answer, Degradation, Query, RerankWish
from rag_server.index_ports import Indexes, IndexState
from rag_server.use_cases.answering import Answering, Passages
from rag_server.use_cases.gathering import Gathering
from rag_server.use_cases.ordering import Ordered, Ordering
from rag_server.use_cases.preparing import Prepared, Preparing
from rag_server.use_cases.remembering import OrderKey, Remembering, key_of
from rag_server.use_cases.retrieving import CANDIDATES, Question, WordsFailed
from serving import logs

BEHIND_WAIT_S = 10.0
SEARCH_THREADS = 4
BATCH = 16
# Answers that are ready within so little time are told together: each time wakes the loop, which then wants the
# interpreter of the thread that searches.
PORTION_S = 0.01

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A query on its way."""

    query: Query
    key: OrderKey
    prepared: Prepared
    ordered: Ordered | None = None  # where that is known by now
    remembered: Remembered = Remembered.MISS


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

    def _answers(self, queries: Sequence[Query]) -> Iterator[list[Answer | Exception]]:
        """What can be done for several at once is; whoever was first waits PORTION_S for others' sake."""
        waiting = deque(self._begun(queries))
        while waiting:
            portion: list[_Asked | Exception] = []
            end_s = time.perf_counter() + PORTION_S
            while waiting and (not portion or time.perf_counter() < end_s):
                portion.append(self._looked_for(waiting.popleft()))
            yield self._finished(portion)

    def _begun(self, queries: Sequence[Query]) -> list[_Asked | Exception]:
        state = self._indexes.current()
        asked = [self._taken_in(query, state) for query in queries]
        self._preparing.look_for_words([one.prepared.question for one in asked if _is_new(one)])
        fresh = iter(_looked_ahead(self._with_vectors([one for one in asked if _is_new(one)])))
        return [next(fresh) if _is_new(one) else one for one in asked]

    def _taken_in(self, query: Query, state: IndexState) -> _Asked | Exception:
        try:
            key = key_of(query)
            recalled = self._remembering.recall(key, query.normal_text, state)
            if recalled is None:
                return _Asked(query, key, Prepared(self._preparing.question(query, state), ()))
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            return error
        return _Asked(query, key, Prepared(recalled.ordered.question, ()), recalled.ordered, recalled.how)

    def _with_vectors(self, asked: Sequence[_Asked]) -> list[_Asked]:
        prepared = self._preparing.prepared([(one.query, one.prepared.question) for one in asked])
        return [replace(one, prepared=each) for one, each in zip(asked, prepared, strict=True)]

    def _looked_for(self, asked: _Asked | Exception) -> _Asked | Exception:
        """With its order. One that cannot be had is tried again where the error can be answered."""
        if not _is_new(asked):
            return asked
        try:
            return replace(asked, ordered=self._ordered(asked.query, asked.prepared.question, asked.prepared.degraded))
        except Exception:  # noqa: BLE001 - see above
            return asked

    def _finished(self, portion: Sequence[_Asked | Exception]) -> list[Answer | Exception]:
        """Hits of all of them are held against the store at once."""
        ordered = [(one.query, one.ordered) for one in portion if isinstance(one, _Asked) and one.ordered is not None]
        try:
            passages = self._answering.read_ahead(ordered)
        except Exception as error:  # noqa: BLE001 - handed to those who asked
            return [error] * len(portion)
        return [one if isinstance(one, Exception) else self._outcome(one, passages) for one in portion]

    def _outcome(self, asked: _Asked, passages: Passages) -> Answer | Exception:
        try:
            return self._answer(asked, passages)
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            return error

    def _answer(self, asked: _Asked, passages: Passages) -> Answer:
        question, degraded = asked.prepared.question, asked.prepared.degraded
        try:
            return self._from(asked, question, degraded, passages)
        except WordsFailed:
            vector = question.vector if question.vector is not None else self._preparing.embedded(question)
            if vector is None:
                raise
            _log.exception("word_index_failed")
            by_meaning = replace(question, by_words=False, vector=vector)
            return self._from(replace(asked, ordered=None), by_meaning, (Degradation.NO_LEXICAL,), passages)

    def _from(self, asked: _Asked, question: Question, degraded: tuple[Degradation, ...], passages: Passages) -> Answer:
        """Raises WordsFailed."""
        query = asked.query
        ordered = asked.ordered or self._ordered(query, question, degraded)
        page = self._answering.page(query, ordered, passages)
        if not page.hits and not len(ordered.chunk_ids) and question.by_words and question.wording.phrases:
            relaxed = replace(question, wording=question.wording.without_phrases, lexical_ahead=None)
            degraded = (*degraded, Degradation.NO_PHRASE)
            page = self._answering.page(query, self._ordered(query, relaxed, degraded), passages)
        self._remembering.remember(asked.key, query.normal_text, page.ordered)
        return self._answering.answer(query, page, asked.remembered)

    def _ordered(self, query: Query, question: Question, degraded: tuple[Degradation, ...]) -> Ordered:
        ordered = self._ordering.ordered(question, query, query.first + query.limit)
        return replace(ordered, degraded=(*degraded, *ordered.degraded))


def _is_new(asked: _Asked | Exception) -> TypeGuard[_Asked]:
    """Whether it has still to be looked for."""
    return isinstance(asked, _Asked) and asked.ordered is None


def _looked_ahead(asked: Sequence[_Asked]) -> list[_Asked]:
    """All of them; what can be looked for by vector together with others has been."""
    alike: dict[tuple[str, str], list[int]] = {}
    for place, each in enumerate(asked):
        if each.prepared.question.vector is not None:
            alike.setdefault((each.query.collection, each.key.wanted), []).append(place)
    looked_for = list(asked)
    for places in alike.values():
        if len(places) > 1:
            for place, found in zip(places, _together([asked[place] for place in places]), strict=True):
                looked_for[place] = found
    return looked_for


def _together(asked: Sequence[_Asked]) -> Iterator[_Asked]:
    """Each with the nearest chunks of its query, which were looked for at once."""
    questions = [each.prepared.question for each in asked]
    first = questions[0]
    vectors = np.stack([question.vector for question in questions if question.vector is not None])
    begun_s = time.perf_counter()
    found = first.state.vectors.search(first.collection, vectors, CANDIDATES, first.within)
    share_s = (time.perf_counter() - begun_s) / len(asked)
    for each, question, dense in zip(asked, questions, found, strict=True):
        question.clock.add(Stage.DENSE, share_s)
        yield replace(each, prepared=replace(each.prepared, question=replace(question, dense_ahead=dense)))
