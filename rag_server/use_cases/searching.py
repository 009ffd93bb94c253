"""Searching: by words, by meaning, or by both, and only what may be shown."""

import asyncio
import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.errors import IndexBehind
from rag_server.domain.ranking import Scored
from rag_server.domain.search import Answer, Degradation, Hit, Query, SearchMode
from rag_server.index_ports import Indexes
from rag_server.ports import ChangeLog, Embedder
from rag_server.use_cases.retrieving import Question, WordsFailed
from serving import logs

BEHIND_WAIT_S = 10.0
SEARCH_THREADS = 2
# Of each index, to be ranked together; so many times more where too many of them are gone from the store.
CANDIDATES = 100
MORE = 4

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Searching:
    """Answers queries from the views; every hit is checked against the store.

    The whole of a search is one call in one thread of the executor: at these sizes hops between threads cost more than
    doing things side by side saves.
    """

    indexes: Indexes
    log: ChangeLog
    embedder: Embedder
    dense_weight: float  # of the model's kind: ranking.DENSE_WEIGHTS
    executor: Executor

    async def search(self, query: Query) -> Answer:
        """An unknown collection has no passages. Raises IndexBehind and NotReady."""
        started_s = time.perf_counter()
        if not await self.indexes.wait_for(query.min_sequence, BEHIND_WAIT_S):
            raise IndexBehind(min_sequence=str(query.min_sequence))
        answer = await asyncio.get_running_loop().run_in_executor(self.executor, self._answer, query)
        return replace(answer, took_s=time.perf_counter() - started_s)

    def _answer(self, query: Query) -> Answer:
        question, degraded = self._question(query)
        try:
            hits = self._hits(question, query.limit)
        except WordsFailed:
            vector = question.vector if question.vector is not None else self._embedded(question.text)
            if vector is None:
                raise
            _log.exception("word_index_failed")
            hits = self._hits(replace(question, by_words=False, vector=vector), query.limit)
            degraded = (Degradation.NO_LEXICAL,)
        return Answer(hits, question.state.sequence, degraded, 0.0)

    def _question(self, query: Query) -> tuple[Question, tuple[Degradation, ...]]:
        text, mode = query.normal_text, query.mode
        degraded: tuple[Degradation, ...] = ()
        vector = None
        if mode is not SearchMode.LEXICAL:
            try:
                vector = self._embedded(text)
            except Exception:  # noqa: BLE001 - whatever the model raises: words only are better than no answer
                _log.exception("query_not_embedded")
                mode, degraded = SearchMode.LEXICAL, (Degradation.NO_DENSE,)
        by_words = mode is not SearchMode.DENSE
        state = self.indexes.current()
        return Question(state, query.collection, text, by_words, vector, self.dense_weight), degraded

    def _embedded(self, text: str) -> NDArray[np.float32] | None:
        """None where the text has no token that the model knows."""
        vector = self.embedder.embed_query(text)
        return vector if vector.any() else None

    def _hits(self, question: Question, limit: int) -> tuple[Hit, ...]:
        """The best that stand; one search is enough unless many of the candidates are gone."""
        depth, wanted = max(CANDIDATES, limit), limit
        while True:
            candidates, every = question.candidates(depth, wanted)
            hits = self._standing(candidates, question.collection, limit)
            if len(hits) >= limit or every:
                return hits
            depth, wanted = depth * MORE, depth

    def _standing(self, candidates: Scored, collection: str, limit: int) -> tuple[Hit, ...]:
        hits: list[Hit] = []
        taken = 0
        while len(hits) < limit and taken < len(candidates):
            portion = slice(taken, taken + limit - len(hits))
            taken = portion.stop
            chunk_ids = candidates.chunk_ids[portion].tolist()
            passages = self.log.passages(chunk_ids)
            for chunk_id, score in zip(chunk_ids, candidates.scores[portion].tolist(), strict=True):
                passage = passages.get(chunk_id)
                if passage is not None and passage.collection == collection:
                    hits.append(Hit(passage, score))
        return tuple(hits)
