"""Deletes, new versions and filters against a model that looks at everything: what is found is just what is meant."""

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rag_server.domain.filter import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Attributes,
    Comparison,
    Condition,
    Field,
    Filter,
    NoneOf,
    matches,
)
from rag_server.domain.search import Query, SearchMode
from rag_server.use_cases.searching import SEARCH_THREADS
from tests.fakes.change_log import MemoryChangeLog, Text
from tests.fakes.searched_library import Library
from tests.fakes.serving_views import EMBEDDER, following

WORDS = ("obra", "escola", "multa", "prazo")
KEYS = ("a", "b", "c", "d", "e")
EVERY = 1_000

words = st.sampled_from(WORDS)
passages = st.lists(st.lists(words, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=4)
tags = st.lists(st.sampled_from(("x", "y", "z")), max_size=2, unique=True).map(tuple)
years = st.integers(2000, 2004)
conditions = st.one_of(
    st.sampled_from(("x", "y", "z")).map(lambda tag: Condition(Field.TAGS, Comparison.EQUAL, tag)),
    st.sampled_from(("pt", "en")).map(lambda language: Condition(Field.LANGUAGE, Comparison.EQUAL, language)),
    st.builds(
        lambda year, how: Condition(Field.METADATA, how, year, ("ano",)),
        years,
        st.sampled_from((Comparison.EQUAL, Comparison.LESS, Comparison.GREATER_OR_EQUAL)),
    ),
    st.just(Condition(Field.METADATA, Comparison.EXISTS, None, ("ano",))),
    st.sampled_from(KEYS).map(lambda key: Condition(Field.DOCUMENT_KEY, Comparison.EQUAL, key)),
    st.builds(
        lambda page, how: Condition(Field.PAGE, how, page),
        st.integers(1, 4),
        st.sampled_from((Comparison.EQUAL, Comparison.GREATER)),
    ),
)
filters: st.SearchStrategy[Filter] = st.one_of(
    st.just(EVERYTHING),
    conditions,
    st.lists(conditions, min_size=1, max_size=3).map(lambda parts: AllOf(tuple(parts))),
    st.lists(conditions, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    st.lists(conditions, min_size=1, max_size=2).map(lambda parts: NoneOf(tuple(parts))),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as the model knows it."""

    document: str
    page: int
    text: str


class SearchMachine(RuleBasedStateMachine):
    """A store of a few documents, its views, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, tuple[Attributes, list[Shown]]] = {}

    @initialize()
    def begin(self) -> None:
        self.open = ExitStack()
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.log = MemoryChangeLog()
        follower = self.open.enter_context(following(self.log, folder))
        executor = self.open.enter_context(ThreadPoolExecutor(SEARCH_THREADS))
        self.runner = self.open.enter_context(asyncio.Runner())
        self.library = Library(self.log, follower, executor)

    @rule(key=st.sampled_from(KEYS), texts=passages, tags=tags, year=years | st.none(), english=st.booleans())
    def publish(self, key: str, texts: list[str], tags: tuple[str, ...], year: int | None, english: bool) -> None:  # noqa: FBT001 - drawn
        each = [Text(text, EMBEDDER.embed_query(text), page=page) for page, text in enumerate(texts, 1)]
        metadata = {} if year is None else {"ano": year}
        self.log.publish(key, each, tags=tags, metadata=metadata, language="en" if english else "pt")
        version_id = self.log.current[key][0]
        shown = [Shown(key, text.page, text.text) for text in each]
        self.model[key] = (self.log.attributes[version_id], shown)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        if key in self.model:
            self.log.delete(key)
            del self.model[key]

    @rule(wanted=filters, word=words, mode=st.sampled_from(SearchMode))
    def search(self, wanted: Filter, word: str, mode: SearchMode) -> None:
        self.runner.run(self.library.level())
        expected = [
            one
            for document, shown in self.model.values()
            for one in shown
            if matches(wanted, document, range(one.page, one.page + 1))
            and (mode is not SearchMode.LEXICAL or word in one.text.split())
        ]
        assert self._found(wanted, word, mode) == sorted(map(repr, expected))

    @rule(wanted=filters, word=words, mode=st.sampled_from(SearchMode))
    def search_without_waiting(self, wanted: Filter, word: str, mode: SearchMode) -> None:
        standing = {repr(one) for _, shown in self.model.values() for one in shown}
        if self.log.last_sequence() and self.library.follower.applied_sequence >= 0:
            assert standing.issuperset(self._found(wanted, word, mode))

    def _found(self, wanted: Filter, word: str, mode: SearchMode) -> list[str]:
        query = Query(word, "default", EVERY, mode, wanted=wanted)
        hits = self.runner.run(self.library.searching.search(query)).hits
        return sorted(repr(Shown(hit.passage.document_id, hit.passage.page_first, hit.passage.text)) for hit in hits)

    def teardown(self) -> None:
        self.open.close()


SearchMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSearchMachine = SearchMachine.TestCase
