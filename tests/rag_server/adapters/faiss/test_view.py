"""The vectors against a brute-force model."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag_server.adapters.faiss import block
from rag_server.adapters.faiss.collection import FaissVectors
from rag_server.adapters.faiss.view import FaissView
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.ranking import Scored
from rag_server.domain.version_set import VersionSet

D = 8


def _vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, D))
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _nearest(
    state: FaissVectors, collection: str, vector: NDArray[np.float32], limit: int, within: VersionSet | None = None
) -> Scored:
    return state.search(collection, vector[np.newaxis], limit, within)[0]


def _document(
    name: str, first_id: int, vectors: Iterable[NDArray[np.float32]], collection: str = "c", version_id: int = 1
) -> DocumentChunks:
    chunks = [
        IndexedChunk(chunk_id, collection, name, version_id, "", (), "", vector)
        for chunk_id, vector in enumerate(vectors, first_id)
    ]
    return DocumentChunks(collection, name, chunks, None)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("block", "growing"):
        monkeypatch.setattr(f"rag_server.adapters.faiss.{module}.BLOCK_ROWS", 32)
    monkeypatch.setattr("rag_server.adapters.faiss.block.SMALLEST_BUFFER_ROWS", 4)


def test_a_search_finds_the_nearest_with_their_cosines() -> None:
    view, vectors = FaissView(D), _vectors(50)
    view.apply([_document("a", 1, vectors)])
    found = _nearest(view.state(), "c", vectors[7], 3)
    cosines = vectors @ vectors[7]
    assert found.chunk_ids.tolist() == (np.argsort(-cosines)[:3] + 1).tolist()
    np.testing.assert_allclose(found.scores, np.sort(cosines)[::-1][:3], atol=1e-6)


def test_asking_for_more_than_there_are_gives_all() -> None:
    view = FaissView(D)
    view.apply([_document("a", 1, _vectors(3))])
    assert sorted(_nearest(view.state(), "c", _vectors(1)[0], 100).chunk_ids.tolist()) == [1, 2, 3]


def test_an_unknown_collection_has_nothing() -> None:
    state = FaissView(D).state()
    assert len(_nearest(state, "none", _vectors(1)[0], 10)) == 0
    assert state.scores_of("none", _vectors(1)[0], np.array([1, 2])).tolist() == [0.0, 0.0]
    assert state.chunk_ids().tolist() == []


def test_collections_do_not_see_each_other() -> None:
    view, vectors = FaissView(D), _vectors(4)
    view.apply([_document("a", 1, vectors[:2], "one"), _document("b", 3, vectors[2:], "two")])
    assert sorted(_nearest(view.state(), "one", vectors[3], 10).chunk_ids.tolist()) == [1, 2]
    assert view.state().scores_of("one", vectors[3], np.array([4])).tolist() == [0.0]


def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    view, vectors = FaissView(D), _vectors(6)
    view.apply([_document("a", 1, vectors[:3])])
    view.apply([_document("a", 4, vectors[3:])])
    assert view.state().chunk_ids().tolist() == [4, 5, 6]
    assert sorted(_nearest(view.state(), "c", vectors[0], 10).chunk_ids.tolist()) == [4, 5, 6]


def test_applying_the_same_again_changes_nothing() -> None:
    view, vectors = FaissView(D), _vectors(5)
    for _ in range(3):
        view.apply([_document("a", 1, vectors)])
    assert view.state().chunk_ids().tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(view.state().scores_of("c", vectors[2], np.array([3])), [1.0], atol=1e-6)


def test_in_one_portion_the_last_that_became_of_a_document_counts() -> None:
    view, vectors = FaissView(D), _vectors(4)
    view.apply(
        [
            _document("a", 1, vectors[:2]),
            _document("a", 3, vectors[2:]),
            _document("b", 9, []),
            _document("a", 3, vectors[2:3]),
        ]
    )
    assert view.state().chunk_ids().tolist() == [3]


def test_what_a_reader_holds_does_not_change() -> None:
    view, vectors = FaissView(D), _vectors(40)
    view.apply([_document("a", 1, vectors[:20])])
    held = view.state()
    before = _nearest(held, "c", vectors[0], 30)
    view.apply([_document("a", 1, []), _document("b", 21, vectors[20:])])
    after = _nearest(held, "c", vectors[0], 30)
    assert after.chunk_ids.tolist() == before.chunk_ids.tolist()
    assert after.scores.tolist() == before.scores.tolist()
    assert held.chunk_ids().tolist() == list(range(1, 21))


def test_a_zero_vector_is_there_but_is_never_found() -> None:
    view = FaissView(D)
    view.apply([_document("a", 1, [np.zeros(D, np.float32), *_vectors(2)])])
    state = view.state()
    assert sorted(_nearest(state, "c", _vectors(1)[0], 10).chunk_ids.tolist()) == [2, 3]
    assert state.chunk_ids().tolist() == [1, 2, 3]
    assert state.scores_of("c", _vectors(1)[0], np.array([1])).tolist() == [0.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused(bad: float) -> None:
    view = FaissView(D)
    vector = _vectors(1)[0]
    vector[3] = bad
    with pytest.raises(ValueError, match="finite"):
        view.apply([_document("a", 1, [vector])])
    view = FaissView(D)
    view.apply([_document("a", 1, _vectors(1))])
    with pytest.raises(ValueError, match="finite"):
        _nearest(view.state(), "c", vector, 3)


def test_a_query_of_other_dimensions_is_refused() -> None:
    view = FaissView(D)
    view.apply([_document("a", 1, _vectors(1))])
    with pytest.raises(ValueError, match="dimensions"):
        _nearest(view.state(), "c", np.ones(D + 1, np.float32), 3)


@pytest.mark.usefixtures("small_blocks")
def test_blocks_are_sealed_and_stay_as_they_are_while_others_come() -> None:
    view, vectors = FaissView(D), _vectors(200)
    for n in range(0, 200, 5):
        view.apply([_document(f"d{n}", n + 1, vectors[n : n + 5])])
    collection = view.state().collections["c"]
    assert len(collection.sealed) == 6
    assert all(len(sealed.block.rows) == 32 for sealed in collection.sealed)
    first = collection.sealed[0].block
    view.apply([_document("new", 1_000, vectors[:3])])
    assert view.state().collections["c"].sealed[0].block is first
    assert view.state().chunk_ids().tolist() == [*range(1, 201), 1_000, 1_001, 1_002]


@pytest.mark.usefixtures("small_blocks")
def test_a_block_that_is_mostly_dead_is_given_up() -> None:
    view, vectors = FaissView(D), _vectors(200)
    for n in range(0, 200, 5):
        view.apply([_document(f"d{n}", n + 1, vectors[n : n + 5])])
    before = {sealed.name for sealed in view.state().collections["c"].sealed}
    view.apply([_document(f"d{n}", n + 1, []) for n in range(0, 25, 5)])
    state = view.state()
    names = {sealed.name for sealed in state.collections["c"].sealed}
    assert len(before - names) == 1
    assert state.chunk_ids().tolist() == list(range(26, 201))
    assert sorted(_nearest(state, "c", vectors[0], 500).chunk_ids.tolist()) == list(range(26, 201))


@pytest.mark.usefixtures("small_blocks")
def test_a_document_that_is_sent_again_and_again_does_not_fill_the_memory() -> None:
    view, vectors = FaissView(D), _vectors(4)
    for n in range(500):
        view.apply([_document("a", 4 * n + 1, vectors)])
    collection = view.state().collections["c"]
    assert sum(len(each.rows) for each in collection.blocks) <= 2 * 32
    assert view.state().chunk_ids().tolist() == [1997, 1998, 1999, 2000]


def test_a_collection_without_chunks_is_gone() -> None:
    view = FaissView(D)
    view.apply([_document("a", 1, _vectors(3))])
    view.apply([_document("a", 1, [])])
    assert view.state().collections == {}


@pytest.mark.usefixtures("small_blocks")
def test_a_state_comes_back_from_its_files_and_goes_on(tmp_path: Path) -> None:
    view, vectors = FaissView(D), _vectors(120)
    for n in range(0, 100, 5):
        view.apply([_document(f"d{n}", n + 1, vectors[n : n + 5], "one" if n % 2 else "two")])
    view.apply([_document("d10", 11, []), _document("zero", 900, [np.zeros(D, np.float32)], "one")])
    view.freeze(tmp_path, None)()
    restored = FaissView(D)
    restored.restore(tmp_path)
    assert restored.state().chunk_ids().tolist() == view.state().chunk_ids().tolist()
    for each in (view, restored):
        each.apply([_document("d15", 16, vectors[100:], "one")])
    for collection in ("one", "two"):
        one, other = (_nearest(each.state(), collection, vectors[3], 500) for each in (view, restored))
        assert one.chunk_ids.tolist() == other.chunk_ids.tolist()
        assert one.scores.tolist() == other.scores.tolist()


@pytest.mark.usefixtures("small_blocks")
def test_a_sealed_block_is_written_once_and_linked_afterwards(tmp_path: Path) -> None:
    view, vectors = FaissView(D), _vectors(80)
    view.apply([_document("a", 1, vectors[:40])])
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    view.freeze(first, None)()
    view.apply([_document("b", 41, vectors[40:])])
    view.freeze(second, first)()
    block_file = f"{view.state().collections['c'].sealed[0].name}.npy"
    assert (first / block_file).samefile(second / block_file)


def test_what_was_frozen_is_the_state_of_that_moment(tmp_path: Path) -> None:
    view, vectors = FaissView(D), _vectors(6)
    view.apply([_document("a", 1, vectors[:3])])
    write = view.freeze(tmp_path, None)
    view.apply([_document("b", 4, vectors[3:])])
    write()
    restored = FaissView(D)
    restored.restore(tmp_path)
    assert restored.state().chunk_ids().tolist() == [1, 2, 3]


def test_files_of_another_model_are_refused(tmp_path: Path) -> None:
    FaissView(D).freeze(tmp_path, None)()
    with pytest.raises(ValueError, match="dimensions"):
        FaissView(D + 1).restore(tmp_path)


def test_a_document_is_told_from_another_by_all_128_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"a": (1, 1), "b": (1, 2)}
    monkeypatch.setattr("rag_server.adapters.faiss.view.document_key", keys.__getitem__)
    view, vectors = FaissView(D), _vectors(2)
    view.apply([_document("a", 1, vectors[:1]), _document("b", 2, vectors[1:])])
    view.apply([_document("a", 1, [])])
    assert view.state().chunk_ids().tolist() == [2]
    assert block.document_key("a") != block.document_key("b")


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
def test_a_search_within_versions_is_exact_however_many_they_are(share: float) -> None:
    view, vectors = FaissView(D), _vectors(200)
    for n in range(200):
        view.apply([_document(f"d{n}", n + 1, vectors[n : n + 1], version_id=1_000 + n)])
    chosen = np.flatnonzero(np.random.default_rng(3).random(200) < share)
    within = VersionSet((chosen + 1_000).astype(np.int64))
    found = _nearest(view.state(), "c", vectors[7], 5, within)
    best = chosen[np.argsort(-(vectors[chosen] @ vectors[7]))][:5]
    assert found.chunk_ids.tolist() == (best + 1).tolist()
    assert view.state().versions_of("c", found.chunk_ids).tolist() == (best + 1_000).tolist()


@pytest.mark.usefixtures("small_blocks")
def test_vectors_that_are_looked_for_together_find_what_each_finds_alone() -> None:
    view, vectors = FaissView(D), _vectors(150)
    for n in range(150):
        view.apply([_document(f"d{n}", n + 1, vectors[n : n + 1], version_id=n + 1)])
    view.apply([DocumentChunks("c", f"d{n}", [], None) for n in range(0, 150, 7)])
    state = view.state()
    for within in (None, VersionSet(np.arange(20, 120, dtype=np.int64))):
        together = state.search("c", vectors[:9], 12, within)
        for vector, found in zip(vectors[:9], together, strict=True):
            alone = _nearest(state, "c", vector, 12, within)
            assert found.chunk_ids.tolist() == alone.chunk_ids.tolist()
            np.testing.assert_allclose(found.scores, alone.scores, atol=1e-6)
    assert state.row_count("c") == 150 - 22
