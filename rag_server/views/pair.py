"""The two views as one: what is done to one is done to the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag_server.domain.document import DocumentChunks
from rag_server.index_ports import IndexState, LexicalIndex, VectorIndex, View
from rag_server.ports import ChangeLog
from rag_server.views.manifest import Snapshot

VECTORS = "vectors"
WORDS = "words"


@dataclass(frozen=True, slots=True)
class Views:
    """Vectors and words, fed by one thread."""

    vectors: View[VectorIndex]
    words: View[LexicalIndex]

    def clear(self) -> None:
        """Begin with nothing."""
        self.vectors.clear()
        self.words.clear()

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        """Take in what became of these documents."""
        self.vectors.apply(documents)
        self.words.apply(documents)

    def state(self, sequence: int) -> IndexState:
        """What readers see from now on."""
        return IndexState(sequence, self.vectors.state(), self.words.state())

    def restore(self, snapshot: Snapshot) -> None:
        """Take over a snapshot, which is whole."""
        self.vectors.restore(snapshot.folder / VECTORS)
        self.words.restore(snapshot.folder / WORDS)

    def close(self) -> None:
        """Let go of files and threads."""
        self.vectors.close()
        self.words.close()


def same_chunks(state: IndexState, log: ChangeLog) -> bool | None:
    """Whether the views have just the chunks that the store has; None where the store went on meanwhile."""
    chunk_ids = log.current_chunk_ids()
    if log.last_sequence() != state.sequence:
        return None
    return np.array_equal(chunk_ids, state.vectors.chunk_ids()) and np.array_equal(chunk_ids, state.words.chunk_ids())
