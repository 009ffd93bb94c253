"""Retrieving candidates from the indexes and ranking them."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.explanation import Stage, Weights
from rag_server.domain.ranking import NOTHING, Scored, fuse, ranked, weigh
from rag_server.domain.version_set import VersionSet
from rag_server.domain.wording import Wording
from rag_server.index_ports import IndexState
from rag_server.use_cases.timing import StageClock

# Of each index; so many times more where that does not settle the order, up to the last.
CANDIDATES = 100
MORE = 4
MOST_CANDIDATES = 6_400
# Of so few chunks that a filter names each is looked at; they need not be looked for.
MOST_NAMED = 2_000


class WordsFailed(Exception):
    """The word index could not be asked."""


class ByWords(NamedTuple):
    """What words find."""

    found: Scored
    full_score: float  # about that of a chunk with every word


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Chunks that an answer is made of, ranked by their true scores."""

    ranked: Scored
    settled: int  # so many of them are the best of all, in this order: nothing that was not looked at comes before
    every: bool  # no others can be found
    weights: Weights
    best_bm25: float = 0.0  # the highest that any chunk has
    full_bm25: float = 0.0  # about that of a chunk with every word
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
    within: VersionSet | None = None  # only chunks of these versions; None: of all
    lexical_ahead: Future[ByWords] | None = None  # the first CANDIDATES by words, where another thread looks for them
    dense_ahead: Scored | None = None  # the first CANDIDATES by vector, where they were looked for with other queries'
    clock: StageClock = field(default_factory=StageClock)

    def candidates(self, wanted: int) -> Candidates:
        """The best by true scores, at least `wanted` of them settled, where there are so many. Raises WordsFailed.

        Both indexes are read down to a depth at which nothing below can score as high: the threshold algorithm of
        Fagin, Lotem and Naor ("Optimal aggregation algorithms for middleware", 2003), in a few large steps. Beyond
        MOST_CANDIDATES, unless as many are wanted, the order is taken as it is.
        """
        of_both = self.by_words and self.vector is not None
        depth = CANDIDATES if of_both else max(CANDIDATES, wanted)
        while True:
            found = self._of_both(depth, wanted) if of_both else self._of_one_index(depth)
            if found.settled >= wanted or found.every:
                return found
            if depth >= max(MOST_CANDIDATES, wanted) and not self._is_short(found, wanted):
                return replace(found, settled=len(found.ranked))
            depth *= MORE

    def pool(self, depth: int) -> Scored:
        """The best `depth` of the union of as many by words and as many by vector. Raises WordsFailed."""
        looked = depth
        while True:
            of_both = self.by_words and self.vector is not None
            found = self._of_both(looked, 2 * looked) if of_both else self._of_one_index(looked)
            if not self._is_short(found, depth):
                return found.ranked.first(depth)
            looked *= MORE

    def scores_of(self, chunk_ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """BM25 and cosine of each of the chunks; 0 for what was not asked for."""
        bm25, cosine = np.zeros(len(chunk_ids)), np.zeros(len(chunk_ids))
        if self.by_words:
            bm25 = self.state.words.scores_of(self.wording, chunk_ids)
        if self.vector is not None:
            cosine = self.state.vectors.scores_of(self.collection, self.vector, chunk_ids)
        return bm25, cosine

    def _of_one_index(self, depth: int) -> Candidates:
        if not self.by_words:
            dense = self._dense(depth)
            every, dense = self._is_every(dense, depth), self._meant(dense)
            return Candidates(dense, len(dense), every, Weights(0.0, 1.0), dense=dense)
        lexical, full = self._lexical(depth)
        every, best, lexical = self._is_every(lexical, depth), _best(lexical), self._meant(lexical)
        return Candidates(lexical, len(lexical), every, Weights(1.0, 0.0), best, full, lexical=lexical)

    def _of_both(self, depth: int, wanted: int) -> Candidates:
        dense = self._dense(depth)
        lexical, full = self._lexical(depth)
        every_lexical, every_dense = self._is_every(lexical, depth), self._is_every(dense, depth)
        every = every_lexical and every_dense
        # What is not among them has at most these scores; a zero vector has the cosine 0 and is never found.
        most_bm25 = 0.0 if every_lexical else float(lexical.scores[-1])
        most_cosine = 0.0 if every_dense else max(0.0, float(dense.scores[-1]))
        best = _best(lexical)
        lexical, dense = self._meant(lexical), self._meant(self._meeting(dense))
        with self.clock.measuring(Stage.FUSE):
            weights = weigh(best, full, self.dense_weight)
            most = -np.inf if every else weights.lexical * most_bm25 + weights.dense * most_cosine
            union = self._union(lexical, dense)
            ranked = union.ranked_while_known(weights, most_bm25)
            if np.count_nonzero(ranked.scores > most) < wanted and len(ranked) < len(union.chunk_ids):
                union.bm25[union.missing] = self.state.words.scores_of(self.wording, union.chunk_ids[union.missing])
                ranked = fuse(union.chunk_ids, union.bm25, union.cosine, weights)
        settled = int(np.count_nonzero(ranked.scores > most))
        every = every and len(ranked) == len(union.chunk_ids)
        return Candidates(ranked, settled, every, weights, best, full, lexical=lexical, dense=dense)

    def _union(self, lexical: Scored, dense: Scored) -> "_Union":
        chunk_ids = np.union1d(lexical.chunk_ids, dense.chunk_ids)
        bm25, missing = _aligned(chunk_ids, lexical)
        cosine, unknown = _aligned(chunk_ids, dense)
        if self.vector is not None and unknown.any():
            cosine[unknown] = self.state.vectors.scores_of(self.collection, self.vector, chunk_ids[unknown])
        return _Union(chunk_ids, bm25, missing, cosine)

    def lexical(self, depth: int) -> ByWords:
        """The best by words alone. Raises WordsFailed."""
        words = self.state.words
        with self.clock.measuring(Stage.LEXICAL):
            try:
                named = self._named
                found = (
                    words.search(self.collection, self.wording, depth, self.within)
                    if named is None
                    else _with_score(named[words.meeting(self.wording, named)], partial(words.scores_of, self.wording))
                )
                return ByWords(found, words.full_score(self.wording))
            except Exception as error:
                raise WordsFailed from error  # whatever the engine raises: the caller goes on without it

    def _lexical(self, depth: int) -> ByWords:
        if self.lexical_ahead is not None and (depth == CANDIDATES or self._named is not None):
            return self.lexical_ahead.result()
        return self.lexical(depth)

    def _dense(self, depth: int) -> Scored:
        if self.vector is None:
            return NOTHING
        if self._named is not None:
            scores_of = partial(self.state.vectors.scores_of, self.collection, self.vector)
            with self.clock.measuring(Stage.DENSE):
                return _with_score(self._named, scores_of)
        if self.dense_ahead is not None and depth == CANDIDATES:
            return self.dense_ahead
        with self.clock.measuring(Stage.DENSE):
            return self.state.vectors.search(self.collection, self.vector[np.newaxis], depth, self.within)[0]

    @property
    def _named(self) -> NDArray[np.int64] | None:
        """All chunks that the filter means, where it names them and they are few."""
        named = None if self.within is None else self.within.named
        return named if named is not None and len(named) <= MOST_NAMED else None

    def _is_every(self, found: Scored, depth: int) -> bool:
        return self._named is not None or len(found) < depth

    def _is_short(self, found: Candidates, wanted: int) -> bool:
        """Whether more are to be looked for, since of what was found the filter means too little."""
        in_part = self.within is not None and self.within.parts is not None
        return in_part and not found.every and len(found.ranked) < wanted

    def _meant(self, found: Scored) -> Scored:
        """Of the chunks of versions that are meant in part those that are."""
        if self.within is None or self.within.parts is None or self._named is not None:
            return found
        versions = self.state.vectors.versions_of(self.collection, found.chunk_ids)
        chosen = self.within.means(found.chunk_ids, versions)
        return Scored(found.chunk_ids[chosen], found.scores[chosen])

    def _meeting(self, dense: Scored) -> Scored:
        if not self.wording.is_conditional:
            return dense
        with self.clock.measuring(Stage.LEXICAL):
            meets = self.state.words.meeting(self.wording, dense.chunk_ids)
        return Scored(dense.chunk_ids[meets], dense.scores[meets])


@dataclass(frozen=True, slots=True, eq=False)
class _Union:
    """What either index found, by ascending id."""

    chunk_ids: NDArray[np.int64]  # (n,)
    bm25: NDArray[np.float64]  # (n,); 0 where it is missing
    missing: NDArray[np.bool_]  # (n,) not found by words
    cosine: NDArray[np.float64]  # (n,)

    def ranked_while_known(self, weights: Weights, most_bm25: float) -> Scored:
        """All in order, down to the first whose place hangs on a BM25 score that is missing.

        What the words did not find has at most the last score that they found: mostly too little to matter, and then
        the true score, as dear as another search, need not be known. Where that is 0, nothing is missing.
        """
        at_most = fuse(self.chunk_ids, np.where(self.missing, most_bm25, self.bm25), self.cosine, weights)
        if most_bm25 <= 0 or not self.missing.any():
            return at_most
        is_missing = self.missing[np.searchsorted(self.chunk_ids, at_most.chunk_ids)]
        return at_most.first(int(is_missing.argmax()))


def _with_score(chunk_ids: NDArray[np.int64], scores_of: Callable[[NDArray[np.int64]], NDArray[np.float64]]) -> Scored:
    """The chunks in order, but those that an index would not find."""
    scores = scores_of(chunk_ids)
    found = np.flatnonzero(scores)
    return ranked(chunk_ids[found], scores[found])


def _best(scored: Scored) -> float:
    return float(scored.scores.max(initial=0.0))


def _aligned(chunk_ids: NDArray[np.int64], scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores for ascending ids that hold all of the scored ones, and which of them have none."""
    scores = np.full(len(chunk_ids), np.nan)
    scores[np.searchsorted(chunk_ids, scored.chunk_ids)] = scored.scores
    missing = np.isnan(scores)
    scores[missing] = 0.0
    return scores, missing
