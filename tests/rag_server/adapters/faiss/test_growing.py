"""A view that takes segments over: what it finds stays the same, and what is dead stays dead."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rag_server.adapters.faiss.collection import FaissVectors
from rag_server.adapters.faiss.view import FaissView
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.segment import LivingRows
from rag_server.domain.version_set import VersionSet
from rag_server.index_ports import NAMED_BY_HASH, SegmentUnusable
from tests.rag_server.adapters.faiss.segment_rows import unit_vectors
from tests.rag_server.adapters.faiss.segmented import segment_of

D = 16
NEAR = 0.02  # scores of eight bits


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("block", "growing"):
        monkeypatch.setattr(f"rag_server.adapters.faiss.{module}.BLOCK_ROWS", 32)
    monkeypatch.setattr("rag_server.adapters.faiss.block.SMALLEST_BUFFER_ROWS", 4)


class Library:
    """A view, and what should be in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.view = FaissView(D)
        self.chunks: dict[str, list[IndexedChunk]] = {}
        self._ids = itertools.count(1)
        self._versions = itertools.count(1_000)

    def publish(self, document: str, rows: int) -> None:
        version = next(self._versions)
        vectors = unit_vectors(rows, D, seed=version)
        chunks = [IndexedChunk(next(self._ids), "c", document, version, "", (), "", vector) for vector in vectors]
        self.chunks[document] = chunks
        self.view.apply([DocumentChunks("c", document, chunks, None)])

    def delete(self, document: str) -> None:
        del self.chunks[document]
        self.view.apply([DocumentChunks("c", document, [], None)])

    def every(self) -> list[IndexedChunk]:
        return [chunk for chunks in self.chunks.values() for chunk in chunks]

    def segment(self, chunks: Sequence[IndexedChunk] | None = None) -> tuple[str, Path]:
        return segment_of(self.every() if chunks is None else chunks, self.folder, D)

    def adopt(self, segment: tuple[str, Path] | None = None) -> None:
        self.view.adopt("c", *(segment or self.segment()))

    def check(self, state: FaissVectors | None = None) -> None:
        """Everything is found, with about its score, and nothing else."""
        state = state or self.view.state()
        every = {chunk.chunk_id: chunk for chunk in self.every()}
        assert state.chunk_ids().tolist() == sorted(every)
        assert state.row_count("c") == len(every)
        query = unit_vectors(1, D, seed=7)
        within = VersionSet(np.array(sorted({c.version_id for c in every.values()})[::2], np.int64))
        for versions in (None, within):
            (found,) = state.search("c", query, 1_000, versions)
            wanted = {i: c for i, c in every.items() if versions is None or c.version_id in versions.version_ids}
            assert sorted(found.chunk_ids.tolist()) == sorted(wanted)
            cosines = [float(wanted[i].vector @ query[0]) for i in found.chunk_ids.tolist()]
            np.testing.assert_allclose(found.scores, cosines, atol=NEAR)
        ids = np.array([*every, 99_999], np.int64)
        assert state.versions_of("c", ids).tolist() == [*(c.version_id for c in every.values()), 0]
        vectors = state.vectors_of("c", ids)
        np.testing.assert_allclose(vectors[:-1], np.stack([c.vector for c in every.values()]), atol=0.1)
        assert np.isnan(vectors[-1]).all()

    def shape(self) -> tuple[int, list[LivingRows]]:
        holding = self.view.state().holdings()["c"]
        return holding.exact_rows, list(holding.segments)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(tmp_path)
    for number in range(20):
        library.publish(f"d{number}", 5)
    return library


def test_rows_move_from_blocks_and_tail_into_the_segment(library: Library) -> None:
    library.adopt()
    assert library.shape() == (0, [LivingRows(100, 100)])
    library.check()
    library.publish("new", 3)
    assert library.shape() == (3, [LivingRows(100, 100)])
    library.check()


def test_what_was_deleted_or_replaced_since_the_build_stays_dead(library: Library) -> None:
    segment = library.segment()
    library.delete("d3")
    library.publish("d5", 2)
    library.adopt(segment)
    assert library.shape() == (2, [LivingRows(100, 90)])
    library.check()


def test_deletes_and_new_versions_after_the_build_are_seen_at_once(library: Library) -> None:
    library.adopt()
    library.delete("d3")
    library.publish("d5", 2)
    assert library.shape() == (2, [LivingRows(100, 90)])
    library.check()


def test_a_segment_takes_over_what_smaller_ones_hold_and_these_go(library: Library) -> None:
    library.adopt(library.segment(library.every()[:40]))
    library.adopt(library.segment(library.every()[60:]))
    assert library.shape() == (20, [LivingRows(40, 40), LivingRows(40, 40)])
    library.check()
    library.adopt()
    assert library.shape() == (0, [LivingRows(100, 100)])
    library.check()


def test_a_segment_that_is_all_dead_is_let_go(library: Library) -> None:
    library.adopt(library.segment(library.chunks["d1"]))
    library.delete("d1")
    assert library.shape() == (95, [])
    library.adopt(library.segment())
    for number in (0, *range(2, 20)):
        library.delete(f"d{number}")
    assert library.view.state().collections == {}


def test_the_same_segment_again_changes_nothing(library: Library) -> None:
    segment = library.segment()
    library.adopt(segment)
    library.view.apply([DocumentChunks("c", "d4", library.chunks["d4"], None)])
    assert library.shape() == (5, [LivingRows(100, 95)])
    library.adopt(segment)
    assert library.shape() == (0, [LivingRows(100, 100)])
    library.check()


def test_what_a_reader_holds_stays_as_it_is(library: Library) -> None:
    before = library.view.state()
    library.adopt()
    adopted = library.view.state()
    every = dict(library.chunks)
    library.delete("d0")
    library.check()
    library.chunks = every
    library.check(before)
    library.check(adopted)


def test_a_segment_for_a_collection_without_rows_is_left_alone(library: Library) -> None:
    segment = library.segment()
    library.view.adopt("other", *segment)
    assert set(library.view.state().collections) == {"c"}


def test_zero_vectors_are_there_and_are_never_found(tmp_path: Path) -> None:
    view = FaissView(D)
    vectors = np.concatenate([np.zeros((1, D), np.float32), unit_vectors(3, D)])
    chunks = [IndexedChunk(n, "c", "a", 1, "", (), "", vector) for n, vector in enumerate(vectors, 1)]
    view.apply([DocumentChunks("c", "a", chunks, None)])
    view.adopt("c", *segment_of(chunks, tmp_path, D))
    state = view.state()
    assert state.chunk_ids().tolist() == [1, 2, 3, 4]
    assert sorted(state.search("c", unit_vectors(1, D), 9)[0].chunk_ids.tolist()) == [2, 3, 4]
    assert state.scores_of("c", unit_vectors(1, D)[0], np.array([1])).tolist() == [0.0]


@pytest.mark.parametrize("harm", ["missing", "cut", "other bytes", "other dimensions"])
def test_a_file_that_is_not_what_it_should_be_changes_nothing(library: Library, tmp_path: Path, harm: str) -> None:
    name, path = library.segment()
    if harm == "missing":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif harm == "other bytes":
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    else:
        chunks = [IndexedChunk(1, "c", "d0", 1_000, "", (), "", vector) for vector in unit_vectors(1, D + 1)]
        name, path = segment_of(chunks, tmp_path, D + 1)
    with pytest.raises(SegmentUnusable):
        library.view.adopt("c", name, path)
    assert library.shape() == (100, [])
    library.check()


def test_a_snapshot_links_the_segment_and_comes_back_with_it(library: Library, tmp_path: Path) -> None:
    name, path = library.segment()
    library.view.adopt("c", name, path)
    library.delete("d3")
    library.publish("new", 40)
    first, second = tmp_path / "1", tmp_path / "2"
    for folder, earlier in ((first, None), (second, first)):
        folder.mkdir()
        library.view.freeze(folder, earlier)()
        assert (folder / f"{name}{NAMED_BY_HASH}").samefile(path)
    restored = FaissView(D)
    restored.restore(second)
    library.check(restored.state())
    for view in (library.view, restored):
        view.apply([DocumentChunks("c", "d7", [], None)])
    del library.chunks["d7"]
    library.check(restored.state())


def test_a_snapshot_has_the_segment_though_the_blob_is_gone(library: Library, tmp_path: Path) -> None:
    name, path = library.segment()
    library.view.adopt("c", name, path)
    path.unlink()
    folder = tmp_path / "1"
    folder.mkdir()
    library.view.freeze(folder, None)()
    restored = FaissView(D)
    restored.restore(folder)
    library.check(restored.state())


def test_a_vector_may_lie_off_only_where_it_is_in_a_segment(library: Library) -> None:
    library.adopt()
    library.publish("new", 1)
    ids = np.array([1, library.chunks["new"][0].chunk_id, 99_999], np.int64)
    state = library.view.state()
    assert state.tolerance_of("c", ids).tolist() == [pytest.approx(0.05), 0.0, 0.0]
    assert state.tolerance_of("none", ids).tolist() == [0.0, 0.0, 0.0]
    stored = np.stack([chunk.vector for chunk in library.every()])
    indexed = state.vectors_of("c", np.array([chunk.chunk_id for chunk in library.every()], np.int64))
    assert np.linalg.norm(indexed - stored, axis=1).max() < 0.05


def test_memory_is_told_and_a_segment_needs_less(library: Library) -> None:
    exact = library.view.state().holdings()["c"].size_bytes
    assert exact > 100 * D * 4
    library.adopt()
    path = library.view.state().collections["c"].segments[0].segment.file.path
    held = library.view.state().holdings()["c"].size_bytes
    assert path.stat().st_size < held < path.stat().st_size * 1.5
