"""From the wording of a query to what the engine is asked. Built from objects, never parsed."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tantivy import Occur, Query, Schema, Searcher

from rag_server.adapters.tantivy import analysis
from rag_server.adapters.tantivy import schema as fields
from rag_server.adapters.tantivy.analysis import Word, references_of, words_of
from rag_server.domain.wording import Wording

# A word counts by its best form, and the others add this much: measured on scifact and faquad.
TIE_BREAKER = 0.3
# The rarest of a pasted page say what it is about.
MOST_WORDS = 64
# So many words are remembered with their forms, for each state of the index.
MOST_FORMS = 20_000
# Each is a walk over all the words that begin so.
MOST_PREFIXES = 8


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a query with a score of its own; the scores of all clauses together are the score of a passage."""

    label: str  # for people
    terms: tuple[Query, ...]  # what they find adds up

    @property
    def query(self) -> Query:
        """All of it."""
        return _any_of(self.terms)


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """A word in all its forms, in one state of the index."""

    count: int  # of the passages with the form that most have
    terms: tuple[Query, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Makes queries for one state of the index."""

    searcher: Searcher
    schema: Schema
    known: dict[Word, Forms]  # queries share their words

    def scoring(self, wording: Wording) -> list[Clause]:
        """What gives passages their scores; nothing where the wording has no word."""
        words = words_of(wording.text)
        return [
            *(Clause(word.folded[0], self._forms(word).terms) for word in self._rarest(telling(words))),
            *self._references(wording.text),
            *self._numbered(words),
            *(Clause(f'"{phrase}"', (query,)) for phrase, query in self._phrases(wording.phrases)),
            *self._beginnings(wording.prefixes),
        ]

    def conditions(self, wording: Wording) -> list[tuple[Occur, Query]]:
        """What passages must meet; they add nothing to a score."""
        required = ((Occur.Must, query) for _, query in self._phrases(wording.phrases))
        nots = map(self._anything_of, wording.excluded[:MOST_WORDS])
        excluded = ((Occur.MustNot, query) for query in nots if query is not None)
        return [(occur, Query.const_score_query(query, 0.0)) for occur, query in (*required, *excluded)]

    def full_score(self, wording: Wording) -> float:
        """What a passage of usual length gets that has each word and beginning once."""
        words = sum(self._rarity(self._forms(word).count) for word in self._rarest(telling(words_of(wording.text))))
        beginnings = sum(self._rarity(count) for _, _, count in self._of_prefixes(wording.prefixes))
        # A word is there in all three fields.
        return words * (1 + 2 * TIE_BREAKER) + beginnings

    def term(self, field: str, value: str) -> Query:
        """What has this very term."""
        return Query.term_query(self.schema, field, value, "freq")

    def _rarest(self, words: Sequence[Word]) -> Sequence[Word]:
        if len(words) <= MOST_WORDS:
            return words
        counts = {word: self.searcher.doc_freq(fields.FOLDED, word.folded[0]) for word in words}
        # A word that no chunk has says nothing.
        return sorted(words, key=lambda word: counts[word] or self.searcher.num_docs)[:MOST_WORDS]

    def _forms(self, word: Word) -> Forms:
        forms = self.known.get(word)
        if forms is None:
            forms = self._looked_up(word)
            if len(self.known) < MOST_FORMS:
                self.known[word] = forms
        return forms

    def _looked_up(self, word: Word) -> Forms:
        """The forms of a word as terms whose scores add up, so that the engine can skip what cannot be among the best.

        Where a rare form stands a more common one nearly always stands, too: the inflected word is found by its stem.
        Of such forms each, but the most common, is weighted so that it adds its score and takes that of the one before
        it away but for TIE_BREAKER. All told, this is what a disjunction gives that counts the best of them whole.
        """
        fields_of = {fields.FOLDED: word.folded, fields.PORTUGUESE: word.portuguese, fields.ENGLISH: word.english}
        counted = [
            (self.searcher.doc_freq(field, form), field, form) for field, forms in fields_of.items() for form in forms
        ]
        terms, before = [], 0.0
        for count, field, form in sorted(counted, key=lambda each: -each[0]):
            rarity = self._rarity(count)
            weight = 1 - (1 - TIE_BREAKER) * before / rarity
            terms.append(Query.boost_query(self.term(field, form), weight))
            before = rarity
        # Never of the folded form, which stems share.
        return Forms(max(count for count, field, _ in counted if field != fields.FOLDED), tuple(terms))

    def _rarity(self, count: int) -> float:
        """The inverse document frequency, as the engine reckons it."""
        # Chunks that are deleted are counted with a word until their segment is merged.
        count = min(count, self.searcher.num_docs)
        return math.log(1 + (self.searcher.num_docs - count + 0.5) / (count + 0.5))

    def _references(self, text: str) -> Iterator[Clause]:
        """Numbers and codes of several parts, such as 13.709/2018: their parts stand together."""
        for reference in references_of(text)[:MOST_WORDS]:
            yield Clause(" ".join(reference.parts), (self._phrase(reference.parts),))

    def _numbered(self, words: Sequence[Word]) -> Iterator[Clause]:
        """`art. 5` and `type 2`: a word and the number behind it stand together."""
        for word, number in pairwise(words[: MOST_WORDS + 1]):
            # The last form of an ordinal is its number.
            parts = (word.folded[0], number.folded[-1])
            if parts[0][0].isalpha() and parts[1][0].isdigit():
                yield Clause(" ".join(parts), (self._phrase(parts),))

    def _phrases(self, phrases: Sequence[str]) -> Iterator[tuple[str, Query]]:
        for phrase in phrases[:MOST_WORDS]:
            parts = analysis.FOLDED.analyze(analysis.prepared(phrase))
            if parts:
                yield phrase, self._phrase(parts)

    def _beginnings(self, prefixes: Sequence[str]) -> Iterator[Clause]:
        """Words that begin so, all alike: as rare as all of them together."""
        for folded, query, count in self._of_prefixes(prefixes):
            yield Clause(f"{folded}*", (Query.const_score_query(query, self._rarity(count)),))

    def _of_prefixes(self, prefixes: Sequence[str]) -> Iterator[tuple[str, Query, int]]:
        """Each prefix folded, what has words that begin so, and how many passages these are."""
        for prefix in prefixes[:MOST_PREFIXES]:
            folded = "".join(analysis.FOLDED.analyze(analysis.prepared(prefix)))
            if folded:
                query = Query.regex_query(self.schema, fields.FOLDED, f"{re.escape(folded)}.*")
                yield folded, query, self.searcher.search(query, 1).count  # type: ignore[attr-defined]  # no stub has it

    def _anything_of(self, excluded: str) -> Query | None:
        """What has the phrase, or the word in any form; None where there is no word in it."""
        words = words_of(excluded)
        if len(words) == 1:
            return _any_of(self._forms(words[0]).terms)
        return self._phrase(analysis.FOLDED.analyze(analysis.prepared(excluded))) if words else None

    def _phrase(self, parts: Sequence[str]) -> Query:
        if len(parts) == 1:
            return self.term(fields.FOLDED, parts[0])
        return Query.phrase_query(self.schema, fields.FOLDED, list(parts))


def telling(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words that are no stop words; all of them where there are no others."""
    return tuple(word for word in words if word.telling) or tuple(words)


def _any_of(queries: Sequence[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])
