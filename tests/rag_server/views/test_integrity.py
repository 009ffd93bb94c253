"""I4 is told truthfully, while the store and the views go on."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag_server.domain.segment import StoredSegment
from rag_server.index_ports import DocumentIndex, IndexState, LexicalIndex, VectorIndex
from rag_server.views import integrity
from rag_server.views.follower import Follower
from rag_server.views.integrity import IndexIntegrity
from tests.fakes.serving_views import EMBEDDER, following, library, texts
from tests.rag_server.adapters.faiss.segmented import segment_of

LONG_S = 20.0


async def test_views_that_are_level_have_no_faults(tmp_path: Path) -> None:
    log = library(10)
    log.delete("d3")
    log.publish("d4", texts("nova versão"))
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(12, LONG_S)
        (found,) = await IndexIntegrity(log, follower).check()
        assert (found.id, found.ok, found.checked) == ("I4", True, 17)


async def test_an_empty_store_has_no_faults(tmp_path: Path) -> None:
    log = library(0)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(0, LONG_S)
        (found,) = await IndexIntegrity(log, follower).check()
        assert (found.ok, found.checked) == (True, 0)


async def test_no_fault_is_told_while_documents_come_and_go(tmp_path: Path) -> None:
    log = library(5)
    done = threading.Event()

    def publish() -> None:
        n = 0
        while not done.is_set():
            n += 1
            log.publish(f"d{n % 7}", texts(*(f"texto {n}" for _ in range(n % 4))))
            if n % 5 == 0:
                log.delete(f"d{n % 7}")
            done.wait(0.002)

    thread = threading.Thread(target=publish)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(5, LONG_S)
        thread.start()
        try:
            for _ in range(8):
                (found,) = await IndexIntegrity(log, follower).check()
                assert found.faults == ()
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    ("leg", "fault"),
    [("vectors", "missing in the vectors"), ("words", "missing in the words")],
)
async def test_a_chunk_that_an_index_lacks_is_told(tmp_path: Path, leg: str, fault: str) -> None:
    log = library(3)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        (found,) = await IndexIntegrity(log, _Without(follower, leg, 4)).check()
        assert found.faults == (f"chunk 4: {fault}",)


async def test_a_chunk_that_should_be_gone_is_told(tmp_path: Path) -> None:
    log = library(3)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        with log.lock:
            del log.current["d1"]  # without a word in the log
        (found,) = await IndexIntegrity(log, follower).check()
        assert set(found.faults) == {
            "chunk 3: deleted, but in the vectors",
            "chunk 4: deleted, but in the vectors",
            "chunk 3: deleted, but in the words",
            "chunk 4: deleted, but in the words",
            "version 2: deleted, but in the documents",
        }


async def test_a_version_that_filters_do_not_know_is_told(tmp_path: Path) -> None:
    log = library(3)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        (found,) = await IndexIntegrity(log, _Without(follower, "documents", 2)).check()
        assert found.faults == ("version 2: missing in the documents",)


async def test_a_version_that_filters_take_for_another_is_told(tmp_path: Path) -> None:
    log = library(2)
    log.publish("d2", texts("ata"), metadata={"year": 2024.0, "who": {"name": "Ana"}}, tags=("ata",))
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        (found,) = await IndexIntegrity(log, follower).check()
        assert found.ok
        log.attributes[3] = replace(log.attributes[3], metadata={"year": 2024.0, "who": {"name": "Eva"}})
        (found,) = await IndexIntegrity(log, follower).check()
        assert found.faults == ("version 3: filters take it for another",)


async def test_another_vector_is_told(tmp_path: Path) -> None:
    log = library(3)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        version, chunks = log.current["d2"]
        log.current["d2"] = (version, [replace(chunks[0], vector=-chunks[0].vector), chunks[1]])
        (found,) = await IndexIntegrity(log, follower).check()
        assert found.faults == ("chunk 5: another vector",)


async def test_an_index_that_does_not_catch_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "CATCH_UP_S", 0.01)
    log = library(2)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(2, LONG_S)
    log.delete("d0")
    (found,) = await IndexIntegrity(log, follower).check()
    assert found.faults == ("index at 2, store at 3",)


class _Without:
    """The indexes of a follower, one of which has lost a chunk."""

    def __init__(self, follower: Follower, leg: str, chunk_id: int) -> None:
        self.follower = follower
        self.leg = leg
        self.chunk_id = chunk_id

    @property
    def applied_sequence(self) -> int:
        return self.follower.applied_sequence

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        return await self.follower.wait_for(sequence, timeout_s)

    async def wait_patiently(self, sequence: int, timeout_s: float) -> bool:
        return await self.follower.wait_patiently(sequence, timeout_s)

    def current(self) -> IndexState:
        state = self.follower.current()
        if self.leg == "vectors":
            return replace(state, vectors=_LossyVectors(state.vectors, self.chunk_id))
        if self.leg == "documents":
            return replace(state, documents=_LossyDocuments(state.documents, self.chunk_id))
        return replace(state, words=_LossyWords(state.words, self.chunk_id))


class _LossyVectors:
    def __init__(self, index: VectorIndex, lost: int) -> None:
        self.search, self.scores_of, self.vectors_of = index.search, index.scores_of, index.vectors_of
        self.row_count, self.versions_of = index.row_count, index.versions_of
        self.holdings, self.tolerance_of = index.holdings, index.tolerance_of
        self.kept: NDArray[np.int64] = index.chunk_ids()[index.chunk_ids() != lost]

    def chunk_ids(self) -> NDArray[np.int64]:
        return self.kept


class _LossyWords:
    def __init__(self, index: LexicalIndex, lost: int) -> None:
        self.search, self.scores_of, self.terms_of = index.search, index.scores_of, index.terms_of
        self.full_score, self.meeting, self.marks_in = index.full_score, index.meeting, index.marks_in
        self.kept: NDArray[np.int64] = index.chunk_ids()[index.chunk_ids() != lost]

    def chunk_ids(self) -> NDArray[np.int64]:
        return self.kept


class _LossyDocuments:
    def __init__(self, index: DocumentIndex, lost: int) -> None:
        self.meant, self.counts = index.meant, index.counts
        self.kept: NDArray[np.int64] = index.version_ids()[index.version_ids() != lost]

    def version_ids(self) -> NDArray[np.int64]:
        return self.kept


async def test_the_vectors_of_a_segment_may_lie_off_by_a_little_and_not_by_more(tmp_path: Path) -> None:
    log = library(10)
    (tmp_path / "blobs").mkdir()
    name, path = segment_of(list(log.chunks().values()), tmp_path / "blobs", EMBEDDER.dimensions)
    path.rename(tmp_path / name)
    log.put_into_use(StoredSegment(1, "default", name, 1, 20))
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(11, LONG_S)
        assert follower.current().vectors.holdings()["default"].exact_rows == 0
        (found,) = await IndexIntegrity(log, follower).check()
        assert (found.faults, found.checked) == ((), 20)
        version_id, chunks = log.current["d3"]
        log.current["d3"] = (version_id, [replace(chunks[0], vector=chunks[1].vector), chunks[1]])
        (found,) = await IndexIntegrity(log, follower).check()
        assert found.faults == (f"chunk {chunks[0].chunk_id}: another vector",)
