"""Preparing a query: its words taken apart, its vector, the documents that its filter means."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.explanation import Stage
from rag_server.domain.filter import EVERYTHING
from rag_server.domain.search import Degradation, Query, SearchMode
from rag_server.domain.wording import wording_of
from rag_server.index_ports import IndexState
from rag_server.model_ports import Embedder
from rag_server.use_cases.retrieving import CANDIDATES, ByWords, Question
from rag_server.use_cases.timing import StageClock
from serving import logs
from serving.errors import InvalidInput

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that can be looked for, and what had to be left out of it."""

    question: Question
    degraded: tuple[Degradation, ...]


@dataclass(frozen=True, slots=True)
class Preparing:
    """Makes questions of queries; plain functions in the caller's thread."""

    embedder: Embedder
    dense_weight: float
    beside: Executor  # where words are looked for while this thread goes on

    def check(self, query: Query) -> None:
        """Raises InvalidInput for a query that nothing can be made of."""
        vector = query.vector
        if vector is None:
            return
        if query.mode is SearchMode.LEXICAL:
            raise InvalidInput("A search by words alone takes no vector.", field="vector")
        if vector.shape != (self.embedder.dimensions,) or not np.isfinite(vector).all() or not vector.any():
            told = f"The vector must have {self.embedder.dimensions} finite numbers, not all of them 0."
            raise InvalidInput(told, field="vector")

    def question(self, query: Query, state: IndexState) -> Question:
        """The question for this state of the indexes, without its vector."""
        wording, clock, within = wording_of(query.normal_text), StageClock(), None
        if query.wanted != EVERYTHING:
            with clock.measuring(Stage.FILTER):
                within = state.documents.meant(query.collection, query.wanted)
        by_words = query.mode is not SearchMode.DENSE
        ahead: Future[ByWords] | None = Future() if query.mode is SearchMode.HYBRID else None
        where = (state, query.collection)
        return Question(*where, wording, by_words, None, self.dense_weight, within, lexical_ahead=ahead, clock=clock)

    def look_for_words(self, questions: Sequence[Question]) -> None:
        """Begin to, in one other thread, where there is something to be done meanwhile."""
        asked = [question for question in questions if question.lexical_ahead is not None]
        if asked:
            self.beside.submit(_look_for_words, asked)

    def prepared(self, asked: Sequence[tuple[Query, Question]]) -> list[Prepared]:
        """With their vectors, unless they are looked for by words alone."""
        to_embed = [question for query, question in asked if _is_to_be_embedded(query)]
        embedded = iter(self._embedded(to_embed) if to_embed else [])
        return [
            next(embedded) if _is_to_be_embedded(query) else Prepared(replace(question, vector=_unit(query.vector)), ())
            for query, question in asked
        ]

    def _embedded(self, questions: Sequence[Question]) -> list[Prepared]:
        begun_s = time.perf_counter()
        try:
            vectors = self.embedder.embed_queries([question.wording.meaning for question in questions])
        except Exception:  # noqa: BLE001 - whatever the model raises: words only are better than no answer
            if len(questions) > 1:  # only one may be at fault
                return [one for question in questions for one in self._embedded([question])]
            _log.exception("query_not_embedded")
            return [Prepared(replace(question, by_words=True), (Degradation.NO_DENSE,)) for question in questions]
        for question in questions:
            question.clock.add(Stage.EMBED, (time.perf_counter() - begun_s) / len(questions))
        known = [vector if vector.any() else None for vector in vectors]
        return [Prepared(replace(one, vector=vector), ()) for one, vector in zip(questions, known, strict=True)]

    def embedded(self, question: Question) -> NDArray[np.float32] | None:
        """The vector of a question; None where it has no token that the model knows."""
        with question.clock.measuring(Stage.EMBED):
            vector = self.embedder.embed_query(question.wording.meaning)
        return vector if vector.any() else None


def _is_to_be_embedded(query: Query) -> bool:
    return query.mode is not SearchMode.LEXICAL and query.vector is None


def _unit(vector: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    return None if vector is None else vector / np.linalg.norm(vector)


def _look_for_words(questions: Sequence[Question]) -> None:
    for question in questions:
        assert question.lexical_ahead is not None  # noqa: S101 - only such are given
        try:
            question.lexical_ahead.set_result(question.lexical(CANDIDATES))
        except Exception as error:  # noqa: BLE001 - raised where the words are wanted
            question.lexical_ahead.set_exception(error)
