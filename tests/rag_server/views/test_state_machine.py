"""Whatever is published and deleted: searches find what the store has, exactly, and nothing else."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rag_server.domain.wording import Wording
from rag_server.views.batch import next_batch
from rag_server.views.keeping import Keeping
from rag_server.views.snapshot import Snapshots
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.serving_views import EMBEDDER, MODEL, new_views, texts

COLLECTIONS = ("leis", "atas")
DOCUMENTS = st.integers(0, 7)
# The empty one has a zero vector.
TEXTS = st.lists(
    st.sampled_from(
        ["licitação pública", "manutenção", "processo 13.709/2018", "obra pública", "ata da obra", "", "obra"]
    ),
    max_size=6,
)
WORDS = ("licitação", "manutenção", "obra", "pública", "processo", "ata")


class Following(RuleBasedStateMachine):
    """The views, fed as the follower feeds them, beside a model that looks at every chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log = MemoryChangeLog()
        self.position = 0

    @initialize()
    def start(self) -> None:
        self._open(clear=True)

    @rule(document=DOCUMENTS, of=TEXTS, at_once=st.booleans())
    def publish(self, document: int, of: list[str], *, at_once: bool) -> None:
        self.log.publish(f"d{document}", texts(*of), COLLECTIONS[document % 2])
        if at_once:
            self.follow()

    @rule(document=DOCUMENTS, at_once=st.booleans())
    def delete(self, document: int, *, at_once: bool) -> None:
        if f"d{document}" in self.log.current:
            self.log.delete(f"d{document}")
        if at_once:
            self.follow()

    @rule()
    def follow(self) -> None:
        batch = next_batch(self.log, self.position)
        if batch.change_count:
            self.views.apply(batch)
            self.keeping.note(batch)
            self.position = batch.last_sequence

    @rule()
    def apply_again(self) -> None:
        """A follower that died before it noted its position."""
        for after in range(max(0, self.position - 2), self.position):
            batch = next_batch(self.log, after)
            self.views.apply(batch)
            self.keeping.note(batch)
            self.position = batch.last_sequence

    @rule()
    def quiet(self) -> None:
        self.views.tidy()

    @rule()
    def restart(self) -> None:
        self.keeping.keep_last(self.views, self.position)
        self._close()
        self._open(clear=False)

    @invariant()
    def searches_are_exact(self) -> None:
        if self.position != self.log.last_sequence():
            return
        state = self.views.state(self.position)
        every = sorted(self.log.chunks())
        assert state.vectors.chunk_ids().tolist() == every
        assert state.words.chunk_ids().tolist() == every
        assert state.documents.version_ids().tolist() == self.log.current_version_ids().tolist()
        for collection in (*COLLECTIONS, "none"):
            chunks = self.log.chunks(collection)
            for word in WORDS:
                vector = EMBEDDER.embed_query(word)
                cosines = {i: float(chunk.vector @ vector) for i, chunk in chunks.items() if chunk.vector.any()}
                (dense,) = state.vectors.search(collection, vector[np.newaxis], 100)
                assert sorted(dense.chunk_ids.tolist()) == sorted(cosines)
                assert dense.scores.tolist() == sorted(dense.scores.tolist(), reverse=True)
                np.testing.assert_allclose(dense.scores, [cosines[i] for i in dense.chunk_ids.tolist()], atol=1e-6)
                (few,) = state.vectors.search(collection, vector[np.newaxis], 3)
                np.testing.assert_allclose(few.scores, sorted(cosines.values(), reverse=True)[:3], atol=1e-6)
                lexical = state.words.search(collection, Wording(word), 100).chunk_ids.tolist()
                assert sorted(lexical) == sorted(i for i, chunk in chunks.items() if word in chunk.text)

    def teardown(self) -> None:
        self._close()
        # Words that were being merged may still be written there: the view does not wait for what nobody wants.
        shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, *, clear: bool) -> None:
        self.snapshots = Snapshots(self.folder, MODEL)
        self.snapshots.open()
        self.keeping, self.views = Keeping(self.snapshots), new_views(self.folder)
        if clear:
            self.views.clear()
        else:
            self.position = self.keeping.restore(self.views, self.log)

    def _close(self) -> None:
        self.keeping.close()
        self.views.close()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("block", "growing"):
        monkeypatch.setattr(f"rag_server.adapters.faiss.{module}.BLOCK_ROWS", 8)
    monkeypatch.setattr("rag_server.adapters.faiss.block.SMALLEST_BUFFER_ROWS", 2)


@pytest.mark.usefixtures("_small_blocks")
class TestFollowing(Following.TestCase):  # type: ignore[misc,valid-type] # the library makes this class at run time
    settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
