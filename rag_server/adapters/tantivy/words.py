"""One state of the word index, and how it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tantivy import DocAddress, Occur, Query, Schema, Searcher

from rag_server.adapters.tantivy import schema as fields
from rag_server.adapters.tantivy.analysis import Word
from rag_server.adapters.tantivy.highlighting import marks_in, sought
from rag_server.adapters.tantivy.queries import Forms, Queries
from rag_server.domain.explanation import TermScores
from rag_server.domain.ranking import NOTHING, Scored, ranked
from rag_server.domain.search import Mark
from rag_server.domain.version_set import VersionSet
from rag_server.domain.wording import Wording

# A search within many versions looks at so many times more than it needs, then at more again; within few it names them.
FIRST_DEPTH = 8
MORE_DEPTH = 8
DEEPEST = 100_000
NAMED_VERSIONS = 500


@dataclass(frozen=True, slots=True, eq=False)
class TantivyWords:
    """Implements the port LexicalIndex."""

    searcher: Searcher
    schema: Schema
    forms: dict[Word, Forms] = field(default_factory=dict)  # of the queries so far
    whole: dict[str, bool] = field(default_factory=dict)  # whether a collection is all there is

    def search(self, collection: str, wording: Wording, limit: int, within: VersionSet | None = None) -> Scored:
        query = self._query(wording)
        if query is None or (within is not None and not len(within)):
            return NOTHING
        meant = self._meant(query, collection, wording)
        return self._scored(meant, limit) if within is None else self._scored_within(meant, limit, within)

    def scores_of(self, wording: Wording, chunk_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        query = self._query(wording)
        return np.zeros(len(chunk_ids)) if query is None else self._scores(query, chunk_ids)

    def full_score(self, wording: Wording) -> float:
        return self._queries.full_score(wording)

    def meeting(self, wording: Wording, chunk_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        conditions = self._queries.conditions(wording)
        if not conditions or not len(chunk_ids):
            return np.ones(len(chunk_ids), np.bool_)
        anything = Query.const_score_query(Query.all_query(), 1.0)
        found = self._scored(_within(anything, self._any_of(chunk_ids), *conditions), len(chunk_ids))
        return np.isin(chunk_ids, found.chunk_ids)

    def terms_of(self, wording: Wording, chunk_ids: NDArray[np.int64]) -> list[TermScores]:
        clauses = self._queries.scoring(wording)
        return [TermScores(clause.label, self._scores(clause.query, chunk_ids)) for clause in clauses]

    def marks_in(self, wording: Wording, passages: Sequence[str]) -> list[tuple[Mark, ...]]:
        return marks_in(passages, sought(wording))

    def chunk_ids(self) -> NDArray[np.int64]:
        if not self.searcher.num_docs:
            return NOTHING.chunk_ids
        every = self.searcher.search(Query.all_query(), self.searcher.num_docs, count=False)
        return np.sort(self._ids([address for _, address in every.hits]))

    def _meant(self, query: Query, collection: str, wording: Wording) -> Query:
        """The query, of what meets its conditions."""
        conditions = self._queries.conditions(wording)
        of_collection = self._queries.term(fields.COLLECTION, collection)
        if self._is_whole(collection, of_collection):  # a condition that all meet still costs a fifth of a search
            return Query.boolean_query([(Occur.Must, query), *conditions]) if conditions else query
        return _within(query, of_collection, *conditions)

    def _is_whole(self, collection: str, of_collection: Query) -> bool:
        """Whether all chunks are of this collection."""
        whole = self.whole.get(collection)
        if whole is None:
            count = self.searcher.search(of_collection, 1).count  # type: ignore[attr-defined]  # no stub has it
            whole = self.whole[collection] = count == self.searcher.num_docs
        return whole

    @property
    def _queries(self) -> Queries:
        return Queries(self.searcher, self.schema, self.forms)

    def _query(self, wording: Wording) -> Query | None:
        """What the wording asks for; None where it has no word."""
        terms = [term for clause in self._queries.scoring(wording) for term in clause.terms]
        return Query.boolean_query([(Occur.Should, term) for term in terms]) if terms else None

    def _scores(self, query: Query, chunk_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        if not len(chunk_ids):
            return np.zeros(0)
        found = self._scored(_within(query, self._any_of(chunk_ids)), len(chunk_ids))
        scores = dict(zip(found.chunk_ids.tolist(), found.scores.tolist(), strict=True))
        return np.array([scores.get(chunk_id, 0.0) for chunk_id in chunk_ids.tolist()])

    def _scored(self, query: Query, limit: int) -> Scored:
        addresses, scores = self._hits(query, limit)
        return ranked(self._ids(addresses), scores)

    def _scored_within(self, query: Query, limit: int, within: VersionSet) -> Scored:
        """The best of these versions: of few, asked for by name; of many, those among more and more of the best."""
        depth = limit * FIRST_DEPTH
        while len(within) > NAMED_VERSIONS and depth <= DEEPEST:
            addresses, scores = self._hits(query, depth)
            held = within.holds(self._numbers(fields.VERSION_ID, addresses))
            if len(addresses) < depth or np.count_nonzero(held) >= limit:
                chosen = np.flatnonzero(held)[:limit]
                return ranked(self._ids([addresses[place] for place in chosen]), scores[chosen])
            depth *= MORE_DEPTH
        versions = Query.term_set_query(self.schema, fields.VERSION_ID, within.version_ids.tolist())
        return self._scored(_within(query, versions), limit)

    def _hits(self, query: Query, limit: int) -> tuple[list[DocAddress], NDArray[np.float64]]:
        hits = self.searcher.search(query, limit, count=False).hits
        return [address for _, address in hits], np.array([score for score, _ in hits], np.float64)

    def _numbers(self, field: str, addresses: list[DocAddress]) -> NDArray[np.int64]:
        return np.array(self.searcher.fast_field_values(field, addresses), np.int64)

    def _ids(self, addresses: list[DocAddress]) -> NDArray[np.int64]:
        return self._numbers(fields.CHUNK_ID, addresses)

    def _any_of(self, chunk_ids: NDArray[np.int64]) -> Query:
        # For a hundred ids a third faster than the engine's own set query.
        ids = (Query.term_query(self.schema, fields.CHUNK_ID, chunk_id, "basic") for chunk_id in chunk_ids.tolist())
        return Query.boolean_query([(Occur.Should, each) for each in ids])


def _within(query: Query, condition: Query, *more: tuple[Occur, Query]) -> Query:
    """The same scores, of what meets the conditions only."""
    return Query.boolean_query([(Occur.Must, query), (Occur.Must, Query.const_score_query(condition, 0.0)), *more])
