"""Whatever is published, deleted and put into segments, fresh or stale: searches find what the store has."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from rag_server.domain.segment import StoredSegment
from rag_server.domain.version_set import VersionSet
from tests.fakes.serving_views import EMBEDDER
from tests.rag_server.adapters.faiss.segmented import segment_of
from tests.rag_server.views.test_state_machine import COLLECTIONS, WORDS, Following

NEAR = 0.03  # scores of eight bits


class Segmenting(Following):
    """As `Following`; segments are built of what the store has at one time, and put into use at another."""

    def __init__(self) -> None:
        super().__init__()
        self.built: list[StoredSegment] = []
        self.last_segment_id = 0

    @rule(collection=st.sampled_from(COLLECTIONS), share=st.sampled_from([0.5, 1.0]))
    def build(self, collection: str, share: float) -> None:
        """Of all chunks, or of the older half."""
        chunks = [chunk for _, chunk in sorted(self.log.chunks(collection).items())]
        chunks = chunks[: int(len(chunks) * share)]
        if chunks:
            name, path = segment_of(chunks, self.folder, EMBEDDER.dimensions)
            self.last_segment_id += 1
            size_bytes = path.stat().st_size
            self.built.append(StoredSegment(self.last_segment_id, collection, name, size_bytes, len(chunks)))

    @precondition(lambda self: self.built)
    @rule(lost=st.integers(0, 9), at_once=st.booleans(), replaces=st.booleans())
    def put_into_use(self, lost: int, *, at_once: bool, replaces: bool) -> None:
        """Now and then its file is lost before this server has it."""
        segment = self.built.pop(0)
        if not lost:
            (self.folder / segment.sha256).unlink(missing_ok=True)
        others = [one.segment_id for one in self.log.segments.values() if one.collection == segment.collection]
        self.log.put_into_use(segment, others if replaces else ())
        if at_once:
            self.follow()

    @rule()
    def build_anew(self) -> None:
        """From the first entry of the log on, where some segments are out of use by now."""
        self.views.clear()
        self.position = 0
        while self.position != self.log.last_sequence():
            self.follow()

    @invariant()
    def searches_are_exact(self) -> None:
        if self.position != self.log.last_sequence():
            return
        state = self.views.state(self.position)
        every = sorted(self.log.chunks())
        assert state.vectors.chunk_ids().tolist() == every
        assert state.words.chunk_ids().tolist() == every
        for collection in COLLECTIONS:
            chunks = self.log.chunks(collection)
            assert state.vectors.row_count(collection) == len(chunks)
            versions = np.unique(np.array([chunk.version_id for chunk in chunks.values()], np.int64))
            for within in (None, VersionSet(versions[::2])):
                wanted = {i: c for i, c in chunks.items() if within is None or c.version_id in within.version_ids}
                for word in WORDS[:3]:
                    vector = EMBEDDER.embed_query(word)
                    cosines = {i: float(c.vector @ vector) for i, c in wanted.items() if c.vector.any()}
                    (dense,) = state.vectors.search(collection, vector[np.newaxis], 100, within)
                    assert sorted(dense.chunk_ids.tolist()) == sorted(cosines)
                    found = [cosines[i] for i in dense.chunk_ids.tolist()]
                    np.testing.assert_allclose(dense.scores, found, atol=NEAR)
                    (few,) = state.vectors.search(collection, vector[np.newaxis], 3, within)
                    np.testing.assert_allclose(few.scores, sorted(cosines.values(), reverse=True)[:3], atol=NEAR)
            ids = np.array(sorted(chunks), np.int64)
            stored = np.stack([chunks[i].vector for i in sorted(chunks)]) if chunks else np.empty((0, 1))
            indexed = state.vectors.vectors_of(collection, ids)
            assert (np.linalg.norm(indexed - stored, axis=1) <= state.vectors.tolerance_of(collection, ids)).all()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("block", "growing"):
        monkeypatch.setattr(f"rag_server.adapters.faiss.{module}.BLOCK_ROWS", 8)
    monkeypatch.setattr("rag_server.adapters.faiss.block.SMALLEST_BUFFER_ROWS", 2)


@pytest.mark.usefixtures("_small_blocks")
class TestSegmenting(Segmenting.TestCase):  # type: ignore[misc,valid-type] # the library makes this class at run time
    settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
