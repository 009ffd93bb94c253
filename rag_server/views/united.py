"""The views as one: what is done to one is done to the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag_server.domain.document import DocumentChunks
from rag_server.domain.segment import StoredSegment
from rag_server.index_ports import (
    DocumentIndex,
    IndexState,
    LexicalIndex,
    SegmentUnusable,
    VectorIndex,
    VectorView,
    View,
    WordView,
)
from rag_server.ports import ChangeLog
from rag_server.views.batch import Batch
from rag_server.views.manifest import Snapshot
from serving import logs
from storage.unavailable import StorageUnavailable

VECTORS = "vectors"
WORDS = "words"
DOCUMENTS = "documents"

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Views:
    """Vectors, words, and what filters ask of documents, fed by one thread."""

    vectors: VectorView
    words: WordView
    documents: View[DocumentIndex]
    path_of: Callable[[str], Path]  # where a blob of this hash is, or would be

    def clear(self) -> None:
        """Begin with nothing."""
        self.vectors.clear()
        self.words.clear()
        self.documents.clear()

    def apply(self, batch: Batch) -> None:
        """Take in what became of documents, then a segment."""
        if batch.documents:  # else words would write a commit for nothing
            self._apply(batch.documents)
        if batch.segment is not None:
            self._adopt(batch.segment)

    def _apply(self, documents: Sequence[DocumentChunks]) -> None:
        self.vectors.apply(documents)  # first: it may say NothingApplied
        self.words.apply(documents)
        self.documents.apply(documents)

    def _adopt(self, segment: StoredSegment) -> None:
        """Without its file the rows stay where they are: searches take longer and find the same."""
        try:
            self.vectors.adopt(segment.collection, segment.sha256, self.path_of(segment.sha256))
        except (SegmentUnusable, StorageUnavailable):
            _log.exception("segment_not_adopted", segment=segment.segment_id)
        else:
            _log.info("segment_adopted", segment=segment.segment_id, rows=segment.row_count)

    def tidy(self) -> bool:
        """Called now and then while nothing changes; returns whether `state` is a faster one by now."""
        return self.words.tidy()

    def state(self, sequence: int) -> IndexState:
        """What readers see from now on."""
        return IndexState(sequence, self.vectors.state(), self.words.state(), self.documents.state())

    def freeze(self, draft: Snapshot, earlier: Snapshot | None) -> list[Callable[[], None]]:
        """Put the present state into a new snapshot. Returns the slow parts of it, to be run on any thread."""
        views: Mapping[str, View[VectorIndex] | View[LexicalIndex] | View[DocumentIndex]]
        views = {VECTORS: self.vectors, WORDS: self.words, DOCUMENTS: self.documents}
        return [
            view.freeze(_new(draft.folder / name), None if earlier is None else earlier.folder / name)
            for name, view in views.items()
        ]

    def restore(self, snapshot: Snapshot) -> None:
        """Take over a snapshot, which is whole."""
        self.vectors.restore(snapshot.folder / VECTORS)
        self.words.restore(snapshot.folder / WORDS)
        self.documents.restore(snapshot.folder / DOCUMENTS)

    def close(self) -> None:
        """Let go of files and threads."""
        self.vectors.close()
        self.words.close()
        self.documents.close()


def same_chunks(state: IndexState, log: ChangeLog) -> bool | None:
    """Whether the views have just the chunks and versions of the store; None where the store went on meanwhile."""
    chunk_ids, version_ids = log.current_chunk_ids(), log.current_version_ids()
    same = (
        np.array_equal(chunk_ids, state.vectors.chunk_ids())
        and np.array_equal(chunk_ids, state.words.chunk_ids())
        and np.array_equal(version_ids, state.documents.version_ids())
    )
    # Looked at last: vectors in a database are not of one moment, either.
    return same if log.last_sequence() == state.sequence else None


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
