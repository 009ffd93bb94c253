"""I4: the views have just what the store has, looked at while both go on."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.attributes import conditions_of
from rag_server.domain.document import Change, ChangeKind, IndexedChunk
from rag_server.domain.filter import AllOf, Attributes
from rag_server.domain.invariant import Invariant
from rag_server.index_ports import Indexes, IndexState
from rag_server.ports import ChangeLog

TITLE = "The chunks and documents in the indexes are those that may be found in the store."
CATCH_UP_S = 30.0
SAMPLED_CHANGES = 50
TOLD_FAULTS = 20

Sets = dict[tuple[str, str], NDArray[np.int64]]  # by kind of thing and fault


@dataclass(frozen=True, slots=True)
class IndexIntegrity:
    """Implements the port Integrity: the views of this server against the store."""

    log: ChangeLog
    indexes: Indexes

    async def check(self) -> list[Invariant]:
        """Ids as sets; of a sample the vectors, as near as they are kept, and what filters ask of the documents."""
        first = await asyncio.to_thread(self._differences, self.indexes.current())
        if not await self._caught_up():
            behind = f"index at {self.indexes.applied_sequence}, store at {self.log.last_sequence()}"
            return [Invariant("I4", TITLE, 0, (behind,))]
        state = self.indexes.current()
        second = await asyncio.to_thread(self._differences, state)
        faults = [*_lasting(first, second), *await asyncio.to_thread(self._faults_of_sample, state)]
        return [Invariant("I4", TITLE, len(state.vectors.chunk_ids()), tuple(faults[:TOLD_FAULTS]))]

    async def _caught_up(self) -> bool:
        return await self.indexes.wait_for(self.log.last_sequence(), CATCH_UP_S)

    def _differences(self, state: IndexState) -> Sets:
        """What differs at about the same moment: the views were looked at before the store."""
        chunks = {"vectors": state.vectors.chunk_ids(), "words": state.words.chunk_ids()}
        versions = {"documents": state.documents.version_ids()}
        return {
            **_against(self.log.current_chunk_ids(), chunks, "chunk"),
            **_against(self.log.current_version_ids(), versions, "version"),
        }

    def _faults_of_sample(self, state: IndexState) -> list[str]:
        if not state.sequence:
            return []
        sample = np.unique(np.linspace(1, state.sequence, SAMPLED_CHANGES).astype(int)).tolist()
        changes = [self.log.changes(sequence - 1, 1)[0] for sequence in sample]
        published = [change for change in changes if change.kind is ChangeKind.PUBLISHED]
        return [fault for change in published for fault in self._faults_at(change, state)]

    def _faults_at(self, change: Change, state: IndexState) -> list[str]:
        """Of a change that still stands: what the indexes have otherwise than the store."""
        attributes = self.log.attributes_of([change.version_id]).get(change.version_id)
        if attributes is None:
            return []
        chunks = self.log.chunks_of([change.version_id], 1)[change.version_id]
        wrong = [f"chunk {chunk_id}: another vector" for chunk_id in _wrong_vectors(chunks, state)]
        if not _found_by_attributes(attributes, state):
            wrong.append(f"version {change.version_id}: filters take it for another")
        return wrong


def _against(stored: NDArray[np.int64], indexes: Mapping[str, NDArray[np.int64]], what: str) -> Sets:
    """What of the store the indexes lack, and what they have beyond it."""
    missing = {(what, f"missing in the {name}"): np.setdiff1d(stored, ids) for name, ids in indexes.items()}
    stale = {(what, f"deleted, but in the {name}"): np.setdiff1d(ids, stored) for name, ids in indexes.items()}
    return missing | stale


def _wrong_vectors(chunks: Sequence[IndexedChunk], state: IndexState) -> list[int]:
    """Chunks of one version whose vectors are not the store's."""
    if not chunks:
        return []
    chunk_ids = np.array([chunk.chunk_id for chunk in chunks], np.int64)
    indexed = state.vectors.vectors_of(chunks[0].collection, chunk_ids)
    tolerance = state.vectors.tolerance_of(chunks[0].collection, chunk_ids)
    # NaN, where there is none, is no distance.
    same = np.linalg.norm(indexed - np.stack([chunk.vector for chunk in chunks]), axis=1) <= tolerance
    return [int(chunk_id) for chunk_id in chunk_ids[~same]]


def _found_by_attributes(attributes: Attributes, state: IndexState) -> bool:
    """Whether a filter that asks for all that the store knows of the version finds it."""
    found = state.documents.meant(attributes.collection, AllOf(tuple(conditions_of(attributes))))
    return bool(found.holds(np.array([attributes.version_id], np.int64))[0])


def _lasting(first: Sets, second: Sets) -> list[str]:
    """Faults that are no passing lag.

    The second look came after the views had passed all that the first had seen: what differs in both is wrong.
    """
    return [
        f"{kind} {each}: {fault}"
        for (kind, fault), ids in second.items()
        for each in np.intersect1d(first[kind, fault], ids).tolist()
    ]
