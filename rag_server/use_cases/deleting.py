"""Deleting documents and collections: when the answer has come, no search here finds them."""

import time
from dataclasses import dataclass

from rag_server.index_ports import Indexes
from rag_server.ports import Documents, Wakeups

APPLY_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Deleting:
    """Deletes, and waits until this server's views have followed.

    A view that is late leaks nothing, since every hit is held against the store; waiting only keeps `limit` hits full.
    """

    documents: Documents
    indexes: Indexes
    wakeups: Wakeups

    async def delete(self, document_id: str, collection: str) -> int:
        """Returns the sequence. Raises DocumentNotFound."""
        sequence = await self.documents.delete(document_id, collection, time.time())
        await self._followed(sequence)
        return sequence

    async def delete_collection(self, collection: str) -> tuple[int, int]:
        """Returns the sequence and how many documents went. Raises CollectionNotFound."""
        sequence, documents = await self.documents.delete_collection(collection, time.time())
        await self._followed(sequence)
        return sequence, documents

    async def _followed(self, sequence: int) -> None:
        self.wakeups.notify("cancel")  # a job under way for the same key has to stop
        self.wakeups.notify("changes")
        await self.indexes.wait_for(sequence, APPLY_WAIT_S)
