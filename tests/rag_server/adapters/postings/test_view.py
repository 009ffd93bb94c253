"""What filters find, where the random tests would seldom look."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag_server.adapters.postings.view import PostingsView
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.filter import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Attributes,
    Comparison,
    Condition,
    Field,
    Json,
    NoneOf,
    Scalar,
)
from rag_server.domain.search import FacetField


def document(number: int, metadata: dict[str, Json] | None = None, tags: tuple[str, ...] = ()) -> DocumentChunks:
    name = f"d{number}"
    times = (float(number), float(number), None, None)
    known = ("default", name, f"k{number}", f"f{number}", "text/plain", "pt", tags)
    return DocumentChunks("default", name, [], Attributes(number, *known, *times, metadata or {}))


def gone(number: int) -> DocumentChunks:
    return DocumentChunks("default", f"d{number}", [], None)


def view_of(*documents: DocumentChunks) -> PostingsView:
    view = PostingsView()
    view.apply(documents)
    return view


def metadata_is(value: Scalar, *path: str, comparison: Comparison = Comparison.EQUAL) -> Condition:
    return Condition(Field.METADATA, comparison, value, path)


def found(view: PostingsView, wanted: Condition | AnyOf | NoneOf) -> tuple[list[int], bool]:
    meant = view.state().meant("default", wanted)
    return meant.version_ids.tolist(), meant.exact


DEEP: dict[str, Json] = {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": "here"}}}}}}}}}


@pytest.mark.parametrize(
    "too_much",
    [DEEP, {f"n{n}": float(n) for n in range(257)}, {"many": [float(n) for n in range(1_025)]}],
    ids=["deep", "paths", "values"],
)
def test_metadata_that_is_not_kept_whole_may_always_be_meant_and_may_never(too_much: dict[str, Json]) -> None:
    view = view_of(document(1, too_much), document(2, {"a": "b"}), document(3))
    assert found(view, metadata_is("nowhere", "n256")) == ([1], False)
    assert found(view, metadata_is("b", "a")) == ([1, 2], False)
    assert found(view, NoneOf((metadata_is("b", "a"),))) == ([1, 3], False)
    assert found(view, Condition(Field.LANGUAGE, Comparison.EQUAL, "pt")) == ([1, 2, 3], True)


def test_eight_levels_and_256_paths_are_kept() -> None:
    eight: dict[str, Json] = {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": "here"}}}}}}}}
    view = view_of(document(1, eight), document(2, {f"n{n}": "x" for n in range(256)}))
    assert found(view, metadata_is("here", *"aaaaaaaa")) == ([1], True)
    assert found(view, metadata_is("x", "n255")) == ([2], True)


def test_a_long_text_is_there_and_equals_no_short_one() -> None:
    view = view_of(document(1, {"a": "x" * 513}), document(2, {"a": "x" * 512}))
    assert found(view, metadata_is("x", "a")) == ([], True)
    assert found(view, metadata_is("x" * 512, "a")) == ([2], True)
    assert found(view, metadata_is(None, "a", comparison=Comparison.EXISTS)) == ([1, 2], True)
    assert found(view, metadata_is("x" * 513, "a")) == ([1], False)
    assert found(view, metadata_is("x" * 512, "a", comparison=Comparison.GREATER)) == ([1], False)


def test_more_paths_than_a_collection_keeps_make_no_filter_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_server.adapters.postings.collection.MOST_PLACES", 10)
    view = view_of(*(document(n, {f"own{n}": "x", "shared": "y"}) for n in range(1, 9)))
    assert found(view, metadata_is("x", "own1"))[0][0] == 1
    ids, exact = found(view, metadata_is("x", "own8"))
    assert 8 in ids
    assert not exact


def with_pages(published: DocumentChunks, *pages: tuple[int, int]) -> DocumentChunks:
    """With a passage on each of these stretches of pages; the first has ten times the number of the version as id."""
    assert published.attributes is not None
    number = published.attributes.version_id
    known = ("default", published.document_id, number, "", (), "", np.empty(0, np.float32))
    chunks = [IndexedChunk(10 * number + place, *known, *stretch) for place, stretch in enumerate(pages)]
    return replace(published, chunks=chunks)


def page(value: Scalar, comparison: Comparison = Comparison.EQUAL) -> Condition:
    return Condition(Field.PAGE, comparison, value)


def test_a_page_is_looked_for_among_passages_and_names_them() -> None:
    view = view_of(with_pages(document(1), (1, 1), (1, 2), (3, 3)), with_pages(document(2), (1, 1), (9, 9)))
    meant = view.state().meant("default", page(2))
    assert (meant.version_ids.tolist(), meant.exact) == ([1], True)
    assert meant.named is not None
    assert meant.named.tolist() == [11]
    later = view.state().meant("default", page(3, Comparison.GREATER_OR_EQUAL))
    assert later.named is not None
    assert (later.version_ids.tolist(), later.named.tolist()) == ([1, 2], [12, 21])
    assert found(view, page(4)) == ([], True)
    assert found(view, page("2")) == ([], True)


def test_a_document_with_one_page_is_meant_whole_or_not_at_all() -> None:
    view = view_of(with_pages(document(1), (1, 1), (1, 1)), with_pages(document(2), (1, 1), (2, 2)))
    meant = view.state().meant("default", page(1))
    assert (meant.version_ids.tolist(), meant.exact, meant.named) == ([1, 2], True, None)
    chunks, versions = np.array([10, 11, 20, 21], np.int64), np.array([1, 1, 2, 2], np.int64)
    assert meant.means(chunks, versions).tolist() == [True, True, True, False]
    assert found(view, page(2)) == ([2], True)


def test_pages_beside_what_cannot_be_told_leave_it_open() -> None:
    long = metadata_is("x" * 513, "a")
    view = view_of(with_pages(document(1, {"a": "x" * 513}), (1, 1), (2, 2)), with_pages(document(2), (2, 2), (3, 3)))
    both = view.state().meant("default", AllOf((page(2), long)))
    assert both.named is not None
    assert (both.version_ids.tolist(), both.named.tolist(), both.exact) == ([1], [11], False)
    either = view.state().meant("default", AnyOf((page(3), long)))
    assert either.named is not None
    assert (either.version_ids.tolist(), either.named.tolist(), either.exact) == ([1, 2], [10, 11, 21], False)


def test_the_order_of_keys_is_not_known() -> None:
    view = view_of(document(1), document(2))
    assert found(view, Condition(Field.DOCUMENT_KEY, Comparison.GREATER, "k1")) == ([1, 2], False)
    assert found(view, Condition(Field.DOCUMENT_KEY, Comparison.EQUAL, "k1")) == ([1], True)
    keys = AnyOf(tuple(Condition(Field.DOCUMENT_KEY, Comparison.EQUAL, f"k{n}") for n in (2, 1, 7)))
    assert found(view, keys) == ([1, 2], True)


def test_the_last_of_several_changes_to_a_document_counts() -> None:
    view = view_of(document(1), gone(1), document(2), gone(2), document(2))
    assert view.state().version_ids().tolist() == [2]


def test_a_collection_without_documents_is_no_more() -> None:
    view = view_of(document(1), document(2))
    view.apply([gone(1), gone(2), gone(3)])
    assert view.state().collections == {}
    assert len(view.state().meant("default", EVERYTHING)) == 0
    assert view.state().counts("default", FacetField.TAG, np.array([1], np.int64)) == []


def test_mostly_dead_documents_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_server.adapters.postings.collection.FEWEST_REBUILT", 10)
    view = view_of(*(document(n, {"a": f"text {n}", "deep": DEEP}) for n in range(1, 21)))
    before = view.state()
    view.apply([gone(n) for n in range(1, 12)])
    assert view.state().collections["default"].count == 9
    assert view.state().collections["default"].values["metadata", "a"].vocabulary() == [
        f"text {n}" for n in range(12, 21)
    ]
    assert found(view, metadata_is("text 12", "a"))[0] == list(range(12, 21))  # all overflow
    assert before.meant("default", EVERYTHING).version_ids.tolist() == list(range(1, 21))


def test_facets_count_documents_by_value_the_most_first() -> None:
    view = view_of(document(1, tags=("b", "a")), document(2, tags=("b", "b")), document(3, tags=("a", "c", "")))
    ids = np.array([3, 1, 2], np.int64)
    assert view.state().counts("default", FacetField.TAG, ids) == [("a", 2), ("b", 2), ("c", 1)]
    assert view.state().counts("default", FacetField.TAG, ids[:1]) == [("a", 1), ("c", 1)]
    assert view.state().counts("default", FacetField.MEDIA_TYPE, ids) == [("text/plain", 3)]


def test_a_restored_view_goes_on_without_touching_what_it_read(tmp_path: Path) -> None:
    view = view_of(document(1, {"a": "\ud800"}), document(2, {"b": [1.0, True, None, {}]}))
    view.freeze(tmp_path, None)()
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = PostingsView()
    again.restore(tmp_path)
    again.apply([document(3, {"a": "\ud800"}), gone(2)])
    assert found(again, metadata_is("\ud800", "a")) == ([1, 3], True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == written


def test_readers_see_whole_batches_while_one_writes() -> None:
    view = PostingsView()
    seen: set[int] = set()  # the newest version of each state

    def write() -> None:
        for n in range(1, 100_000, 2):
            known = {"tags": ("x",), "metadata": {"a": "x", "n": float(n)}}
            view.apply(
                [_changed(document(n), **known), _changed(document(n + 1), **known), gone(n - 200), gone(n - 199)]
            )
            if n > 1_000 and len(seen) >= 20:
                break

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        while not writing.done():
            state = view.state()
            for wanted in (
                metadata_is("x", "a"),
                metadata_is(0.0, "n", comparison=Comparison.GREATER),
                Condition(Field.TAGS, Comparison.EQUAL, "x"),
                Condition(Field.LANGUAGE, Comparison.EQUAL, "pt"),
            ):
                assert np.array_equal(state.meant("default", wanted).version_ids, state.version_ids())
            assert len(state.version_ids()) % 2 == 0
            seen.add(int(state.version_ids().max(initial=0)))
    writing.result()
    assert len(view.state().version_ids()) == 200
    assert len(seen) >= 20


def _changed(published: DocumentChunks, **known: Any) -> DocumentChunks:
    assert published.attributes is not None
    return replace(published, attributes=replace(published.attributes, **known))
