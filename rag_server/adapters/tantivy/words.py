"""One state of the word index, and how it is asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tantivy import DocAddress, Occur, Query, Schema, Searcher

from rag_server.adapters.tantivy import schema as fields
from rag_server.adapters.tantivy.analysis import Word, references_of, words_of
from rag_server.domain.ranking import NOTHING, Scored, ranked

# A term counts by its best field, and the others add this much: measured on scifact and faquad.
TIE_BREAKER = 0.3
# The rarest of a pasted page say what it is about.
MOST_WORDS = 64


@dataclass(frozen=True, slots=True, eq=False)
class TantivyWords:
    """Implements the port LexicalIndex."""

    searcher: Searcher
    schema: Schema

    def search(self, collection: str, text: str, limit: int) -> Scored:
        query = self._query(text)
        if query is None:
            return NOTHING
        return self._scored(_within(query, self._term(fields.COLLECTION, collection)), limit)

    def scores_of(self, text: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        query = self._query(text)
        if query is None or not len(chunk_ids):
            return np.zeros(len(chunk_ids))
        found = self._scored(_within(query, self._any_of(chunk_ids)), len(chunk_ids))
        scores = dict(zip(found.chunk_ids.tolist(), found.scores.tolist(), strict=True))
        return np.array([scores.get(chunk_id, 0.0) for chunk_id in chunk_ids.tolist()])

    def chunk_ids(self) -> NDArray[np.int64]:
        if not self.searcher.num_docs:
            return NOTHING.chunk_ids
        every = self.searcher.search(Query.all_query(), self.searcher.num_docs, count=False)
        return np.sort(self._ids([address for _, address in every.hits]))

    def _scored(self, query: Query, limit: int) -> Scored:
        hits = self.searcher.search(query, limit, count=False).hits
        scores = np.array([score for score, _ in hits], np.float64)
        return ranked(self._ids([address for _, address in hits]), scores)

    def _ids(self, addresses: list[DocAddress]) -> NDArray[np.int64]:
        return np.array(self.searcher.fast_field_values(fields.CHUNK_ID, addresses), np.int64)

    def _query(self, text: str) -> Query | None:
        """What the text asks for; None where it has no word."""
        words = words_of(text)
        telling = tuple(word for word in words if word.telling) or words
        asked = [*map(self._any_form, self._rarest(telling)), *self._references(text)]
        return Query.boolean_query([(Occur.Should, each) for each in asked]) if asked else None

    def _rarest(self, words: Sequence[Word]) -> Sequence[Word]:
        if len(words) <= MOST_WORDS:
            return words
        counts = {word: self.searcher.doc_freq(fields.FOLDED, word.folded[0]) for word in words}
        # A word that no chunk has says nothing.
        return sorted(words, key=lambda word: counts[word] or self.searcher.num_docs)[:MOST_WORDS]

    def _any_form(self, word: Word) -> Query:
        forms = (
            [self._term(fields.FOLDED, form) for form in word.folded]
            + [self._term(fields.PORTUGUESE, form) for form in word.portuguese]
            + [self._term(fields.ENGLISH, form) for form in word.english]
        )
        return Query.disjunction_max_query(forms, TIE_BREAKER)

    def _any_of(self, chunk_ids: NDArray[np.int64]) -> Query:
        # For a hundred ids a third faster than the engine's own set query.
        ids = (Query.term_query(self.schema, fields.CHUNK_ID, chunk_id, "basic") for chunk_id in chunk_ids.tolist())
        return Query.boolean_query([(Occur.Should, each) for each in ids])

    def _references(self, text: str) -> Iterator[Query]:
        for reference in references_of(text)[:MOST_WORDS]:
            yield Query.phrase_query(self.schema, fields.FOLDED, list(reference.parts))

    def _term(self, field: str, value: str) -> Query:
        return Query.term_query(self.schema, field, value, "freq")


def _within(query: Query, condition: Query) -> Query:
    """The same scores, of what meets the condition only."""
    return Query.boolean_query([(Occur.Must, query), (Occur.Must, Query.const_score_query(condition, 0.0))])
