"""Whatever is published and deleted: filters find what they mean, as told by looking at every document."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rag_server.adapters.postings.documents import PostingsIndex
from rag_server.adapters.postings.view import PostingsView
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.filter import Attributes, Filter, matches
from rag_server.domain.search import FacetField
from rag_server.domain.version_set import VersionSet
from tests.fakes.filter_strategies import FILTERS, PAGES, attributes

NO_VECTOR = np.empty(0, np.float32)
COLLECTIONS = ("leis", "atas")
DOCUMENTS = st.integers(0, 8)
STRETCHES = [range(first, last + 1) for first in range(1, PAGES + 1) for last in range(first, PAGES + 1)]
MOST_PASSAGES = 4  # of a document; their ids follow from that of the version


@dataclass(frozen=True)
class Standing:
    """A document as it stands, and the pages of its passages."""

    attributes: Attributes
    pages: tuple[range, ...]

    @property
    def chunk_ids(self) -> list[int]:
        return [MOST_PASSAGES * self.attributes.version_id + place for place in range(len(self.pages))]

    def change(self) -> DocumentChunks:
        a = self.attributes
        known = (a.collection, a.document_id, a.version_id, "", (), "", NO_VECTOR)
        chunks = [
            IndexedChunk(chunk_id, *known, stretch[0], stretch[-1])
            for chunk_id, stretch in zip(self.chunk_ids, self.pages, strict=True)
        ]
        return DocumentChunks(a.collection, a.document_id, chunks, a)

    def meant(self, wanted: Filter) -> set[int]:
        """The chunks that are."""
        found = zip(self.chunk_ids, self.pages, strict=True)
        return {chunk_id for chunk_id, stretch in found if matches(wanted, self.attributes, stretch)}


Documents = dict[str, Standing]


def agrees(index: PostingsIndex, wanted: Filter, documents: Documents) -> None:
    for collection in (*COLLECTIONS, "none"):
        here = [each for each in documents.values() if each.attributes.collection == collection]
        found = index.meant(collection, wanted)
        ids = found.version_ids.tolist()
        assert ids == sorted(set(ids))
        assert set(ids) <= {each.attributes.version_id for each in here}
        meant = set[int]().union(*(each.meant(wanted) for each in here))
        told = chosen(found, here)
        assert meant <= told
        if found.exact:
            assert meant == told
            assert set(ids) == {each.attributes.version_id for each in here if each.meant(wanted)}
        if found.named is not None:
            assert set(found.named.tolist()) == told


def chosen(found: VersionSet, here: Sequence[Standing]) -> set[int]:
    """The chunks that the set means."""
    chunks = [(chunk_id, each.attributes.version_id) for each in here for chunk_id in each.chunk_ids]
    chunk_ids, version_ids = np.array(chunks, np.int64).reshape(-1, 2).T
    held = found.holds(version_ids)
    means = found.means(chunk_ids[held], version_ids[held])
    return set(chunk_ids[held][means].tolist())


def counted(documents: Documents, field: FacetField) -> list[tuple[str, int]]:
    of_field = {
        FacetField.MEDIA_TYPE: lambda each: {each.media_type},
        FacetField.LANGUAGE: lambda each: {each.language},
        FacetField.TAG: lambda each: {tag for tag in each.tags if len(tag) < 512},
    }
    found = Counter(value for each in documents.values() for value in of_field[field](each.attributes) if value)
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


@st.composite
def libraries(draw: st.DrawFn) -> Documents:
    count = draw(st.integers(0, 9))
    made = [draw(standing(n + 1, f"d{n}", COLLECTIONS[n % 2])) for n in range(count)]
    return {each.attributes.document_id: each for each in made}


def standing(version_id: int, document_id: str, collection: str) -> st.SearchStrategy[Standing]:
    """A document, most often of several pages."""
    stretches = st.lists(st.sampled_from(STRETCHES), min_size=1, max_size=MOST_PASSAGES).map(tuple)
    return st.builds(Standing, attributes(version_id, document_id, collection), stretches | st.just((range(1, 2),)))


@given(libraries(), st.lists(FILTERS, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_what_is_meant_is_found(documents: Documents, wanted: list[Filter]) -> None:
    view = PostingsView()
    view.apply([document.change() for document in documents.values()])
    for each in wanted:
        agrees(view.state(), each, documents)


class Filtering(RuleBasedStateMachine):
    """The view beside a dictionary of what stands; states that readers took are looked at again later."""

    def __init__(self) -> None:
        super().__init__()
        self.view = PostingsView()
        self.standing: Documents = {}
        self.changes: list[DocumentChunks] = []
        self.version_id = 0
        self.taken: list[tuple[PostingsIndex, Documents]] = []

    @rule(data=st.data(), numbers=st.lists(DOCUMENTS, max_size=4))
    def publish(self, data: st.DataObject, numbers: list[int]) -> None:
        """New documents and new versions, several at once; versions begin in another order than they are published."""
        batch = []
        self.version_id += 2 * len(numbers)
        for place, number in enumerate(numbers):
            version_id = self.version_id - place
            document = data.draw(standing(version_id, f"d{number}", COLLECTIONS[number % 2]))
            self.standing[document.attributes.document_id] = document
            batch.append(document.change())
        self._apply(batch)

    @rule(number=DOCUMENTS)
    def delete(self, number: int) -> None:
        self._apply([DocumentChunks(COLLECTIONS[number % 2], f"d{number}", [], None)])
        self.standing.pop(f"d{number}", None)

    @rule(collection=st.sampled_from(COLLECTIONS))
    def delete_collection(self, collection: str) -> None:
        gone = [each for each in self.standing.values() if each.attributes.collection == collection]
        self._apply([DocumentChunks(collection, each.attributes.document_id, [], None) for each in gone])
        self.standing = {name: each for name, each in self.standing.items() if each not in gone}

    @rule(back=st.integers(1, 4))
    def apply_again(self, back: int) -> None:
        """A follower that died before it noted its position."""
        self._apply(self.changes[-back:])

    @rule()
    def restart(self) -> None:
        folder = Path(tempfile.mkdtemp())
        try:
            write = self.view.freeze(folder, None)
            kept = list(self.changes)
            self._apply([DocumentChunks("leis", "d0", [], None)])  # while it is being written
            write()
            self.view, self.changes = PostingsView(), kept
            self.view.restore(folder)
        finally:
            shutil.rmtree(folder)

    @rule()
    def read_later(self) -> None:
        self.taken = [*self.taken[-3:], (self.view.state(), dict(self.standing))]

    @rule(wanted=FILTERS)
    def filter(self, wanted: Filter) -> None:
        agrees(self.view.state(), wanted, self.standing)
        for index, documents in self.taken:
            agrees(index, wanted, documents)

    @invariant()
    def the_same_versions_and_counts(self) -> None:
        index = self.view.state()
        assert index.version_ids().tolist() == sorted(each.attributes.version_id for each in self.standing.values())
        for collection in COLLECTIONS:
            here = {name: each for name, each in self.standing.items() if each.attributes.collection == collection}
            ids = np.array([each.attributes.version_id for each in here.values()], np.int64)
            for field in FacetField:
                assert index.counts(collection, field, ids) == counted(here, field)

    def _apply(self, batch: list[DocumentChunks]) -> None:
        self.changes += batch
        self.view.apply(batch)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_server.adapters.postings.buffer.SMALLEST_BUFFER", 1)
    monkeypatch.setattr("rag_server.adapters.postings.keys.FEWEST_UNSORTED", 2)
    monkeypatch.setattr("rag_server.adapters.postings.collection.FEWEST_REBUILT", 4)


@pytest.mark.usefixtures("_small")
class TestFiltering(Filtering.TestCase):  # type: ignore[misc,valid-type] # the library makes this class at run time
    settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
