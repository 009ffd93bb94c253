"""Answering: a page of hits, each held against the store, put together as it was asked for."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import Passage
from rag_server.domain.explanation import Explanation, ModelsUsed, Remembered, Stage
from rag_server.domain.filter import Attributes, matches
from rag_server.domain.search import Answer, Facet, Hit, Query
from rag_server.ports import ChangeLog
from rag_server.use_cases.explaining import explain_hits
from rag_server.use_cases.ordering import Ordered, Ordering
from rag_server.use_cases.retrieving import Question
from serving import logs

FACET_DEPTH = 1_000  # the best so many chunks are counted
FACET_VALUES = 100
READ_AHEAD = 100  # hits; larger pages are read one by one

_log = logs.get(__name__)

Group = list[int]  # places in the order, best first
Passages = Callable[[Sequence[int]], Mapping[int, Passage]]  # those of these chunks that may be shown now


@dataclass(frozen=True, slots=True)
class Page:
    """The hits of a page, the order that they were taken from, and where the next page begins."""

    hits: tuple[Hit, ...]
    ordered: Ordered
    next_first: int | None


@dataclass(frozen=True, slots=True)
class Answering:
    """Makes answers out of orders; plain functions in the caller's thread."""

    log: ChangeLog
    ordering: Ordering
    models: ModelsUsed

    def read_ahead(self, asked: Sequence[tuple[Query, Ordered]]) -> Passages:
        """What small pages begin with, read at once for all queries; all else is read when it is asked for."""
        begun_s = time.perf_counter()
        chunk_ids = {
            chunk_id
            for query, ordered in asked
            if query.limit <= READ_AHEAD
            for chunk_id in _chunk_ids(ordered, _groups(ordered, query.group_size)[query.first :][: query.limit])
        }
        read = self.log.passages(list(chunk_ids)) if chunk_ids else {}
        for _, ordered in asked:
            ordered.question.clock.add(Stage.LOAD, (time.perf_counter() - begun_s) / len(asked))

        def passages(wanted: Sequence[int]) -> Mapping[int, Passage]:
            if chunk_ids.issuperset(wanted):
                return {chunk_id: read[chunk_id] for chunk_id in wanted if chunk_id in read}
            return self.log.passages(wanted)

        return passages

    def page(self, query: Query, ordered: Ordered, passages: Passages) -> Page:
        """From `query.first` on as many hits as are wanted, looking further where the order does not hold enough.

        Raises WordsFailed.
        """
        hits: list[Hit] = []
        place, wanted = query.first, query.first + query.limit
        while len(hits) < query.limit:
            groups = _groups(ordered, query.group_size)
            if place >= len(groups):
                if ordered.every:
                    break
                wanted = 2 * max(wanted, len(ordered.chunk_ids))
                deeper = self.ordering.ordered(ordered.question, query, wanted, ordered)
                if len(_groups(deeper, query.group_size)) <= len(groups):
                    break
                ordered = replace(deeper, degraded=ordered.degraded, counted=ordered.counted)
                continue
            portion = groups[place : place + query.limit - len(hits)]
            place += len(portion)
            hits += self._standing(query, ordered, portion, passages)
        if query.facets and ordered.counted is None:
            ordered = replace(ordered, counted=self._counted(query, ordered))
        more = place < len(_groups(ordered, query.group_size)) or not ordered.every
        return Page(tuple(hits), ordered, place if more and len(hits) == query.limit else None)

    def answer(self, query: Query, page: Page, remembered: Remembered) -> Answer:
        """The page as it was asked for: marked, explained, its documents counted. Raises WordsFailed."""
        ordered = page.ordered
        question = ordered.question
        hits = self._each(page.hits, lambda flat: _marked(question, flat)) if query.highlight else page.hits
        facets = self._facets(query, ordered)
        explanation = None
        if query.explain:
            with question.clock.measuring(Stage.EXPLAIN):
                hits = self._each(hits, lambda flat: explain_hits(ordered, flat))
            models = self.models if ordered.reranked else replace(self.models, reranker_fingerprint="")
            explanation = Explanation(ordered.candidates.weights, models, question.clock.times(), remembered)
        return Answer(hits, question.state.sequence, ordered.degraded, 0.0, explanation, page.next_first, facets)

    def _standing(self, query: Query, ordered: Ordered, groups: Sequence[Group], read: Passages) -> list[Hit]:
        """The groups as hits, of those passages that may be shown."""
        with ordered.question.clock.measuring(Stage.LOAD):
            passages = read(_chunk_ids(ordered, groups))
            meant = self._meant(query, ordered.question, passages)
        hits: list[Hit] = []
        for group in groups:
            shown = [
                Hit(passage, float(ordered.scores[place]), float(ordered.relevances[place]))
                for place in group
                if (passage := passages.get(int(ordered.chunk_ids[place]))) is not None
                and passage.collection == query.collection
                and meant(passage)
            ]
            if shown:
                hits.append(replace(shown[0], others=tuple(shown[1:])))
        return hits

    def _meant(self, query: Query, question: Question, passages: Mapping[int, Passage]) -> Callable[[Passage], bool]:
        """Whether the filter means a passage; looked at where the index could not know."""
        if question.within is None or question.within.exact:
            return lambda _: True
        documents = self.log.attributes_of(sorted({passage.version_id for passage in passages.values()}))

        def meant(passage: Passage) -> bool:
            document: Attributes | None = documents.get(passage.version_id)
            pages = range(passage.page_first, passage.page_last + 1)
            return document is not None and matches(query.wanted, document, pages)

        return meant

    def _each(self, hits: tuple[Hit, ...], change: Callable[[Sequence[Hit]], tuple[Hit, ...]]) -> tuple[Hit, ...]:
        """All hits changed at once, those within others among them."""
        flat = change([each for hit in hits for each in (replace(hit, others=()), *hit.others)])
        changed, at = [], 0
        for hit in hits:
            end = at + 1 + len(hit.others)
            changed.append(replace(flat[at], others=tuple(flat[at + 1 : end])))
            at = end
        return tuple(changed)

    def _facets(self, query: Query, ordered: Ordered) -> tuple[Facet, ...]:
        if not query.facets or ordered.counted is None:
            return ()
        question, versions = ordered.question, ordered.counted
        with question.clock.measuring(Stage.ARRANGE):
            counts = question.state.documents.counts
            return tuple(
                Facet(field, tuple(counts(question.collection, field, versions)[:FACET_VALUES]))
                for field in query.facets
            )

    def _counted(self, query: Query, ordered: Ordered) -> NDArray[np.int64]:
        """The versions of the best passages: remembered with the order, since each page of it counts the same."""
        question = ordered.question
        with question.clock.measuring(Stage.ARRANGE):
            pool = question.pool(FACET_DEPTH)
            relevances = self.ordering.relevances(question, ordered.candidates, pool.scores)
            chunk_ids = pool.chunk_ids[relevances >= query.min_relevance]
            if question.within is not None and not question.within.exact:
                passages = self.log.passages(chunk_ids.tolist())
                meant = self._meant(query, question, passages)
                return np.unique(np.array([each.version_id for each in passages.values() if meant(each)], np.int64))
            return np.unique(question.state.vectors.versions_of(question.collection, chunk_ids))


def _groups(ordered: Ordered, group_size: int) -> list[Group]:
    """The settled places, those of one document together, in the order of the best of each."""
    if not group_size:
        return [[place] for place in range(ordered.settled)]
    question = ordered.question
    versions = question.state.vectors.versions_of(question.collection, ordered.chunk_ids[: ordered.settled])
    groups: dict[int, Group] = {}
    for place, version in enumerate(versions.tolist()):
        groups.setdefault(version, []).append(place)
    return [group[:group_size] for group in groups.values()]


def _chunk_ids(ordered: Ordered, groups: Sequence[Group]) -> list[int]:
    return [int(ordered.chunk_ids[place]) for group in groups for place in group]


def _marked(question: Question, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The hits with the words of the query marked; by meaning alone it was not words that found them."""
    if not question.by_words:
        return tuple(hits)
    with question.clock.measuring(Stage.HIGHLIGHT):
        try:
            marks = question.state.words.marks_in(question.wording, [hit.passage.text for hit in hits])
        except Exception:  # noqa: BLE001 - the word index may be at fault: an answer without marks is one
            _log.exception("passages_not_marked")
            return tuple(hits)
    return tuple(replace(hit, marks=each) for hit, each in zip(hits, marks, strict=True))
