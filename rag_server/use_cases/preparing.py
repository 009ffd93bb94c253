"""Preparing a query: its words taken apart, its vector, the documents that its filter means."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.explanation import Stage
from rag_server.domain.filter import EVERYTHING
from rag_server.domain.search import Degradation, Query, SearchMode
from rag_server.domain.wording import wording_of
from rag_server.index_ports import IndexState
from rag_server.model_ports import Embedder
from rag_server.use_cases.retrieving import CANDIDATES, Question
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

    def prepared(self, query: Query, state: IndexState, earlier: Question | None) -> Prepared:
        """The question for this state of the indexes: that of an earlier search of the same kind, or a new one."""
        if earlier is not None:
            return Prepared(replace(earlier, clock=StageClock()), ())
        question = self._by_words(query, state)
        if query.mode is SearchMode.LEXICAL:
            return Prepared(question, ())
        if question.by_words:
            question = replace(question, lexical_ahead=self.beside.submit(question.lexical, CANDIDATES))
        try:
            return Prepared(replace(question, vector=self._vector(query, question)), ())
        except Exception:  # noqa: BLE001 - whatever the model raises: words only are better than no answer
            _log.exception("query_not_embedded")
            return Prepared(replace(question, by_words=True), (Degradation.NO_DENSE,))

    def _by_words(self, query: Query, state: IndexState) -> Question:
        """The question without its vector."""
        wording, clock, within = wording_of(query.normal_text), StageClock(), None
        if query.wanted != EVERYTHING:
            with clock.measuring(Stage.FILTER):
                within = state.documents.meant(query.collection, query.wanted)
        by_words = query.mode is not SearchMode.DENSE
        return Question(state, query.collection, wording, by_words, None, self.dense_weight, within=within, clock=clock)

    def embedded(self, question: Question) -> NDArray[np.float32] | None:
        """The vector of a question; None where it has no token that the model knows."""
        with question.clock.measuring(Stage.EMBED):
            vector = self.embedder.embed_query(question.wording.meaning)
        return vector if vector.any() else None

    def _vector(self, query: Query, question: Question) -> NDArray[np.float32] | None:
        if query.vector is None:
            return self.embedded(question)
        unit: NDArray[np.float32] = query.vector / np.linalg.norm(query.vector)
        return unit
