"""Retrieving candidates from the indexes and ranking them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.ranking import NOTHING, Scored, fuse
from rag_server.index_ports import IndexState


class WordsFailed(Exception):
    """The word index could not be asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A query made ready for one state of the indexes: by words, by its vector, or by both."""

    state: IndexState
    collection: str
    text: str
    by_words: bool
    vector: NDArray[np.float32] | None
    dense_weight: float

    def candidates(self, depth: int, wanted: int) -> tuple[Scored, bool]:
        """The best of the union of `depth` chunks by words and `depth` by vector; and whether these are all there are.

        At least `wanted` of them, where the union has so many; maybe not all of the union. Raises WordsFailed.
        """
        lexical, dense = self._lexical(depth), self._dense(depth)
        every = len(lexical) < depth and len(dense) < depth
        if not self.by_words:
            return dense, every
        if self.vector is None:
            return lexical, every
        chunk_ids = np.union1d(lexical.chunk_ids, dense.chunk_ids)
        cosine = self._cosine(chunk_ids, dense, self.vector)
        bm25, missing = _aligned(chunk_ids, lexical)
        if len(lexical) < depth or not missing.any():
            return fuse(chunk_ids, bm25, cosine, self.dense_weight), every
        # What the words did not find has at most the last score that they found: mostly too little to matter,
        # and then the true score, as dear as another search, need not be known.
        at_most = fuse(chunk_ids, np.where(missing, lexical.scores[-1], bm25), cosine, self.dense_weight)
        sure = int(np.isin(at_most.chunk_ids, chunk_ids[missing]).argmax())
        if sure >= wanted:
            return at_most.first(sure), every
        bm25[missing] = self.state.words.scores_of(self.text, chunk_ids[missing])
        return fuse(chunk_ids, bm25, cosine, self.dense_weight), every

    def _lexical(self, depth: int) -> Scored:
        if not self.by_words:
            return NOTHING
        try:
            return self.state.words.search(self.collection, self.text, depth)
        except Exception as error:
            raise WordsFailed from error  # whatever the engine raises: the caller goes on without it

    def _dense(self, depth: int) -> Scored:
        if self.vector is None:
            return NOTHING
        return self.state.vectors.search(self.collection, self.vector, depth)

    def _cosine(self, chunk_ids: NDArray[np.int64], dense: Scored, vector: NDArray[np.float32]) -> NDArray[np.float64]:
        scores, missing = _aligned(chunk_ids, dense)
        if missing.any():
            scores[missing] = self.state.vectors.scores_of(self.collection, vector, chunk_ids[missing])
        return scores


def _aligned(chunk_ids: NDArray[np.int64], scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores for ascending ids that hold all of the scored ones, and which of them have none."""
    scores = np.full(len(chunk_ids), np.nan)
    scores[np.searchsorted(chunk_ids, scored.chunk_ids)] = scored.scores
    missing = np.isnan(scores)
    scores[missing] = 0.0
    return scores, missing
