"""Retrieving candidates from the indexes and ranking them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.explanation import Stage, Weights
from rag_server.domain.ranking import NOTHING, Scored, fuse, weigh
from rag_server.domain.wording import Wording
from rag_server.index_ports import IndexState
from rag_server.use_cases.timing import StageClock


class WordsFailed(Exception):
    """The word index could not be asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Chunks that an answer is made of."""

    ranked: Scored
    every: bool  # no others can be found
    weights: Weights
    lexical: Scored = NOTHING  # by words alone
    dense: Scored = NOTHING  # by vector alone


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A query made ready for one state of the indexes: by words, by its vector, or by both.

    Phrases and what is excluded are conditions on words: by its vector alone a query has none.
    """

    state: IndexState
    collection: str
    wording: Wording
    by_words: bool
    vector: NDArray[np.float32] | None
    dense_weight: float
    clock: StageClock = field(default_factory=StageClock)

    def candidates(self, depth: int, wanted: int) -> Candidates:
        """The best of the union of `depth` chunks by words and `depth` by vector.

        At least `wanted` of them, where the union has so many; maybe not all of the union. Raises WordsFailed.
        """
        if not self.by_words:
            dense = self._dense(depth)
            return Candidates(dense, len(dense) < depth, Weights(0.0, 1.0), dense=dense)
        lexical = self._lexical(depth)
        if self.vector is None:
            return Candidates(lexical, len(lexical) < depth, Weights(1.0, 0.0), lexical=lexical)
        dense = self._dense(depth)
        every = len(lexical) < depth and len(dense) < depth
        dense = self._meeting(dense)
        with self.clock.measuring(Stage.FUSE):
            best = float(lexical.scores.max(initial=0.0))
            weights = weigh(best, self.state.words.full_score(self.wording), self.dense_weight)
            ranked = self._fused(lexical, dense, weights, depth, wanted)
        return Candidates(ranked, every, weights, lexical, dense)

    def scores_of(self, chunk_ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """BM25 and cosine of each of the chunks; 0 for what was not asked for."""
        bm25, cosine = np.zeros(len(chunk_ids)), np.zeros(len(chunk_ids))
        if self.by_words:
            bm25 = self.state.words.scores_of(self.wording, chunk_ids)
        if self.vector is not None:
            cosine = self.state.vectors.scores_of(self.collection, self.vector, chunk_ids)
        return bm25, cosine

    def _fused(self, lexical: Scored, dense: Scored, weights: Weights, depth: int, wanted: int) -> Scored:
        chunk_ids = np.union1d(lexical.chunk_ids, dense.chunk_ids)
        cosine, unknown = _aligned(chunk_ids, dense)
        if self.vector is not None and unknown.any():
            cosine[unknown] = self.state.vectors.scores_of(self.collection, self.vector, chunk_ids[unknown])
        bm25, missing = _aligned(chunk_ids, lexical)
        if len(lexical) < depth or not missing.any():
            return fuse(chunk_ids, bm25, cosine, weights)
        # What the words did not find has at most the last score that they found: mostly too little to matter,
        # and then the true score, as dear as another search, need not be known.
        at_most = fuse(chunk_ids, np.where(missing, lexical.scores[-1], bm25), cosine, weights)
        sure = int(np.isin(at_most.chunk_ids, chunk_ids[missing]).argmax())
        if sure >= wanted:
            return at_most.first(sure)
        bm25[missing] = self.state.words.scores_of(self.wording, chunk_ids[missing])
        return fuse(chunk_ids, bm25, cosine, weights)

    def _lexical(self, depth: int) -> Scored:
        with self.clock.measuring(Stage.LEXICAL):
            try:
                return self.state.words.search(self.collection, self.wording, depth)
            except Exception as error:
                raise WordsFailed from error  # whatever the engine raises: the caller goes on without it

    def _dense(self, depth: int) -> Scored:
        if self.vector is None:
            return NOTHING
        with self.clock.measuring(Stage.DENSE):
            return self.state.vectors.search(self.collection, self.vector, depth)

    def _meeting(self, dense: Scored) -> Scored:
        if not self.wording.is_conditional:
            return dense
        with self.clock.measuring(Stage.LEXICAL):
            meets = self.state.words.meeting(self.wording, dense.chunk_ids)
        return Scored(dense.chunk_ids[meets], dense.scores[meets])


def _aligned(chunk_ids: NDArray[np.int64], scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores for ascending ids that hold all of the scored ones, and which of them have none."""
    scores = np.full(len(chunk_ids), np.nan)
    scores[np.searchsorted(chunk_ids, scored.chunk_ids)] = scored.scores
    missing = np.isnan(scores)
    scores[missing] = 0.0
    return scores, missing
