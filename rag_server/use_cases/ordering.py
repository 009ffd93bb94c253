"""Ordering candidates: by true scores, by a reranker, for variety, and only down to a relevance."""

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.explanation import Stage
from rag_server.domain.ranking import DENSE_WEIGHTS, ModelKind, diversify
from rag_server.domain.relevance import relevance
from rag_server.domain.search import Degradation, Query, RerankWish, SearchMode
from rag_server.model_ports import Reranker
from rag_server.ports import ChangeLog
from rag_server.use_cases.retrieving import Candidates, Question
from serving import logs

RERANKED = 30  # the best so many are read by the reranker
RERANK_BATCH = 5  # between two of them the time is looked at
RERANK_S = 1.0  # it gets so much time, and never more than a share of what the caller has left
RERANK_SHARE = 0.5
DIVERSE = 100  # the best so many are put into an order of variety

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Candidates of a question in the order in which they are shown."""

    question: Question
    candidates: Candidates
    chunk_ids: NDArray[np.int64]  # (n,)
    scores: NDArray[np.float64]  # (n,)
    relevances: NDArray[np.float64]  # (n,)
    settled: int  # so many stay where they are, however much further one looks
    every: bool  # no others are to be shown
    reranked: dict[int, float]  # what the reranker gave, by chunk id
    degraded: tuple[Degradation, ...] = ()
    counted: NDArray[np.int64] | None = None  # (k,) the versions that facets count, once they were asked for

    def chosen(self, places: NDArray[np.intp], settled: int, *, every: bool) -> "Ordered":
        """Some of them, in the order of their places."""
        return replace(
            self,
            chunk_ids=self.chunk_ids[places],
            scores=self.scores[places],
            relevances=self.relevances[places],
            settled=settled,
            every=every,
        )


@dataclass(frozen=True, slots=True)
class Ordering:
    """Puts candidates in order; plain functions in the caller's thread."""

    log: ChangeLog
    kind: ModelKind  # of the model that made the vectors
    reranker: Reranker | None

    @property
    def dense_weight(self) -> float:
        """How much meaning counts beside words."""
        return DENSE_WEIGHTS[self.kind]

    def reranks(self, query: Query) -> bool:
        """Whether candidates are read by the reranker: by a vector alone there is nothing to read them with."""
        return self.reranker is not None and query.rerank is not RerankWish.OFF and bool(query.normal_text)

    def ordered(self, question: Question, query: Query, wanted: int, earlier: Ordered | None = None) -> Ordered:
        """At least `wanted` settled, where there are so many. Raises WordsFailed.

        `earlier` is the order of the same question with fewer: what was reranked for it is not reranked again.
        """
        reranks = self.reranks(query)
        head = max(RERANKED if reranks else 0, DIVERSE if query.diversity else 0)
        candidates = question.candidates(max(wanted, head))
        found = self._by_score(question, candidates)
        if reranks:
            with question.clock.measuring(Stage.RERANK):
                found = self._reranked(found, query, earlier)
        with question.clock.measuring(Stage.ARRANGE):
            found = _relevant(found, query.min_relevance)
            return _diverse(found, query.diversity) if query.diversity else found

    def relevances(
        self, question: Question, candidates: Candidates, scores: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n,) of candidates with these scores."""
        mode = SearchMode.DENSE
        if question.by_words:
            mode = SearchMode.LEXICAL if question.vector is None else SearchMode.HYBRID
        return relevance(scores, mode, self.kind, candidates.best_bm25, candidates.full_bm25)

    def _by_score(self, question: Question, candidates: Candidates) -> Ordered:
        ranked = candidates.ranked
        relevances = self.relevances(question, candidates, ranked.scores)
        return Ordered(
            question, candidates, ranked.chunk_ids, ranked.scores, relevances, candidates.settled, candidates.every, {}
        )

    def _reranked(self, found: Ordered, query: Query, earlier: Ordered | None) -> Ordered:
        """The best first as the reranker says, behind them what it did not get to."""
        if earlier is not None:
            given, degraded = earlier.reranked, earlier.degraded
        else:
            given, degraded = self._read(found.chunk_ids[: min(RERANKED, found.settled)].tolist(), query)
        head = np.flatnonzero(np.isin(found.chunk_ids, list(given)))
        scores = np.array([given[chunk_id] for chunk_id in found.chunk_ids[head].tolist()])
        order = head[np.argsort(-scores, kind="stable")] if len(head) else head
        behind = np.setdiff1d(np.arange(len(found.chunk_ids)), head)
        found = found.chosen(np.concatenate([order, behind]), found.settled, every=found.every)
        top = np.sort(scores)[::-1]
        return replace(
            found,
            scores=np.concatenate([top, found.scores[len(top) :]]),
            relevances=np.concatenate([top, found.relevances[len(top) :]]),
            reranked=given,
            degraded=degraded,
        )

    def _read(self, chunk_ids: list[int], query: Query) -> tuple[dict[int, float], tuple[Degradation, ...]]:
        """What the reranker gives to chunks that still stand, the first of them first, as long as there is time."""
        assert self.reranker is not None  # noqa: S101 - `reranks` was asked
        now_s = time.monotonic()
        left_s = RERANK_S if query.deadline_s is None else (query.deadline_s - now_s) * RERANK_SHARE
        end_s = now_s + min(RERANK_S, left_s)
        passages = self.log.passages(chunk_ids)
        standing = [chunk_id for chunk_id in chunk_ids if chunk_id in passages]
        given: dict[int, float] = {}
        try:
            while len(given) < len(standing) and time.monotonic() < end_s:
                batch = standing[len(given) : len(given) + RERANK_BATCH]
                scores = self.reranker.score(query.normal_text, [passages[chunk_id].text for chunk_id in batch])
                given.update(zip(batch, scores.astype(np.float64).tolist(), strict=True))
        except Exception:  # noqa: BLE001 - whatever the model raises: the order by scores is an answer
            _log.exception("not_reranked")
        if len(given) == len(standing):
            return given, ()
        return given, (Degradation.RERANK_PARTIAL if given else Degradation.NO_RERANK,)


def _relevant(found: Ordered, least: float) -> Ordered:
    """Those that are relevant enough. Behind what was reranked relevance only falls: there is nothing below."""
    enough = found.relevances >= least
    if enough.all():
        return found
    below = bool((~enough[len(found.reranked) : found.settled]).any())
    places = np.flatnonzero(enough)
    return found.chosen(places, int(np.count_nonzero(enough[: found.settled])), every=found.every or below)


def _diverse(found: Ordered, diversity: float) -> Ordered:
    """The first DIVERSE in an order of variety."""
    question, head = found.question, min(DIVERSE, found.settled)
    vectors = question.state.vectors.vectors_of(question.collection, found.chunk_ids[:head])
    order = diversify(found.relevances[:head], np.nan_to_num(vectors), diversity)
    places = np.concatenate([order, np.arange(head, len(found.chunk_ids))])
    return found.chosen(places, found.settled, every=found.every)
