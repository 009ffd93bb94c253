"""Searching: by words, by meaning, or by both, and only what may be shown."""

import asyncio
import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.errors import IndexBehind
from rag_server.domain.explanation import Explanation, Stage
from rag_server.domain.ranking import Scored
from rag_server.domain.search import Answer, Degradation, Hit, Query, SearchMode
from rag_server.domain.wording import wording_of
from rag_server.index_ports import Indexes
from rag_server.ports import ChangeLog, Embedder
from rag_server.use_cases.explaining import explain_hits
from rag_server.use_cases.retrieving import Candidates, Question, WordsFailed
from rag_server.use_cases.timing import StageClock
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
        clock = StageClock()
        question, degraded = self._question(query, clock)
        try:
            found = self._found(question, query.limit)
            if not found.hits and question.by_words and question.wording.phrases:
                relaxed = replace(question, wording=question.wording.without_phrases)
                found, degraded = self._found(relaxed, query.limit), (*degraded, Degradation.NO_PHRASE)
        except WordsFailed:
            vector = question.vector if question.vector is not None else self._embedded(question.wording.meaning, clock)
            if vector is None:
                raise
            _log.exception("word_index_failed")
            found = self._found(replace(question, by_words=False, vector=vector), query.limit)
            degraded = (Degradation.NO_LEXICAL,)
        hits = _marked(found) if query.highlight else found.hits
        if not query.explain:
            return Answer(hits, question.state.sequence, degraded, 0.0)
        with clock.measuring(Stage.EXPLAIN):
            hits = explain_hits(found.question, found.candidates, hits)
        explanation = Explanation(found.candidates.weights, self.embedder.fingerprint, clock.times())
        return Answer(hits, question.state.sequence, degraded, 0.0, explanation)

    def _question(self, query: Query, clock: StageClock) -> tuple[Question, tuple[Degradation, ...]]:
        wording, mode = wording_of(query.normal_text), query.mode
        degraded: tuple[Degradation, ...] = ()
        vector = None
        if mode is not SearchMode.LEXICAL:
            try:
                vector = self._embedded(wording.meaning, clock)
            except Exception:  # noqa: BLE001 - whatever the model raises: words only are better than no answer
                _log.exception("query_not_embedded")
                mode, degraded = SearchMode.LEXICAL, (Degradation.NO_DENSE,)
        by_words = mode is not SearchMode.DENSE
        state = self.indexes.current()
        return Question(state, query.collection, wording, by_words, vector, self.dense_weight, clock), degraded

    def _embedded(self, text: str, clock: StageClock) -> NDArray[np.float32] | None:
        """None where the text has no token that the model knows."""
        with clock.measuring(Stage.EMBED):
            vector = self.embedder.embed_query(text)
        return vector if vector.any() else None

    def _found(self, question: Question, limit: int) -> "_Found":
        """The best that stand; one search is enough unless many of the candidates are gone."""
        depth, wanted = max(CANDIDATES, limit), limit
        while True:
            candidates = question.candidates(depth, wanted)
            hits = self._standing(candidates.ranked, question, limit)
            if len(hits) >= limit or candidates.every:
                return _Found(question, candidates, hits)
            depth, wanted = depth * MORE, depth

    def _standing(self, candidates: Scored, question: Question, limit: int) -> tuple[Hit, ...]:
        hits: list[Hit] = []
        taken = 0
        while len(hits) < limit and taken < len(candidates):
            portion = slice(taken, taken + limit - len(hits))
            taken = portion.stop
            chunk_ids = candidates.chunk_ids[portion].tolist()
            with question.clock.measuring(Stage.LOAD):
                passages = self.log.passages(chunk_ids)
            for chunk_id, score in zip(chunk_ids, candidates.scores[portion].tolist(), strict=True):
                passage = passages.get(chunk_id)
                if passage is not None and passage.collection == question.collection:
                    hits.append(Hit(passage, score))
        return tuple(hits)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What a question found."""

    question: Question
    candidates: Candidates
    hits: tuple[Hit, ...]


def _marked(found: _Found) -> tuple[Hit, ...]:
    """The hits with the words of the query marked; by meaning alone it was not words that found them."""
    question = found.question
    if not question.by_words:
        return found.hits
    passages = [hit.passage.text for hit in found.hits]
    with question.clock.measuring(Stage.HIGHLIGHT):
        try:
            marks = question.state.words.marks_in(question.wording, passages)
        except Exception:  # noqa: BLE001 - the word index may be at fault: an answer without marks is one
            _log.exception("passages_not_marked")
            return found.hits
    return tuple(replace(hit, marks=each) for hit, each in zip(found.hits, marks, strict=True))
