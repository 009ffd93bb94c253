"""I4: the views have just what the store has, looked at while both go on."""

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import ChangeKind
from rag_server.domain.invariant import Invariant
from rag_server.index_ports import Indexes, IndexState
from rag_server.ports import ChangeLog

TITLE = "The chunks in both indexes are those that may be found in the store."
CATCH_UP_S = 30.0
SAMPLED_CHANGES = 50
TOLD_FAULTS = 20

Sets = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class IndexIntegrity:
    """Implements the port Integrity: the views of this server against the store."""

    log: ChangeLog
    indexes: Indexes

    async def check(self) -> list[Invariant]:
        """Ids as sets; vectors of a sample, number for number."""
        first = await asyncio.to_thread(self._differences, self.indexes.current())
        if not await self._caught_up():
            behind = f"index at {self.indexes.applied_sequence}, store at {self.log.last_sequence()}"
            return [Invariant("I4", TITLE, 0, (behind,))]
        state = self.indexes.current()
        second = await asyncio.to_thread(self._differences, state)
        wrong_vectors = await asyncio.to_thread(self._wrong_vectors, state)
        faults = [*_lasting(first, second), *(f"chunk {chunk_id}: another vector" for chunk_id in wrong_vectors)]
        return [Invariant("I4", TITLE, len(state.vectors.chunk_ids()), tuple(faults[:TOLD_FAULTS]))]

    async def _caught_up(self) -> bool:
        return await self.indexes.wait_for(self.log.last_sequence(), CATCH_UP_S)

    def _differences(self, state: IndexState) -> Sets:
        """What differs at about the same moment: the views were looked at before the store."""
        vectors, words = state.vectors.chunk_ids(), state.words.chunk_ids()
        stored = self.log.current_chunk_ids()
        return {
            "missing in the vectors": np.setdiff1d(stored, vectors),
            "missing in the words": np.setdiff1d(stored, words),
            "deleted, but in the vectors": np.setdiff1d(vectors, stored),
            "deleted, but in the words": np.setdiff1d(words, stored),
        }

    def _wrong_vectors(self, state: IndexState) -> list[int]:
        if not state.sequence:
            return []
        sample = np.unique(np.linspace(1, state.sequence, SAMPLED_CHANGES).astype(int)).tolist()
        return [chunk_id for sequence in sample for chunk_id in self._wrong_vectors_at(sequence, state)]

    def _wrong_vectors_at(self, sequence: int, state: IndexState) -> list[int]:
        """Chunks of a change that still stands whose vectors are not the store's."""
        change = self.log.changes(sequence - 1, 1)[0]
        if change.kind is not ChangeKind.PUBLISHED or not (chunks := self.log.chunks_of(change.version_id)):
            return []
        chunk_ids = np.array([chunk.chunk_id for chunk in chunks], np.int64)
        indexed = state.vectors.vectors_of(change.collection, chunk_ids)
        same = (indexed == np.stack([chunk.vector for chunk in chunks])).all(axis=1)
        return [int(chunk_id) for chunk_id in chunk_ids[~same]]


def _lasting(first: Sets, second: Sets) -> list[str]:
    """Faults that are no passing lag.

    The second look came after the views had passed all that the first had seen: what differs in both is wrong.
    """
    return [
        f"chunk {chunk_id}: {what}"
        for what, chunk_ids in second.items()
        for chunk_id in np.intersect1d(first[what], chunk_ids).tolist()
    ]
