"""Steering jobs that the gateway itself speaks of: cancelling, trying again, and giving way to a later request."""

import asyncio
from collections.abc import Callable

from gateway.domain.entry import Entry, EntryState
from gateway.domain.errors import JobEnded, JobNotRetryable, RagServerUnavailable
from gateway.ports import Blobs, EntryFilter, Outbox
from gateway.use_cases.nudge import Nudge

PASS_S = 5.0
POLL_S = 0.5  # a lost nudge costs so much
MOST_WAITING = 1_000


class Steering:
    """Each method returns None where the rag_server must be asked instead."""

    def __init__(self, outbox: Outbox, blobs: Blobs, changed: Nudge, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._blobs = blobs
        self._changed = changed
        self._clock = clock

    async def local(self, job_id: str) -> Entry | None:
        """The entry, where the gateway speaks of the job."""
        entry = await self._outbox.get(job_id)
        return entry if entry is not None and entry.is_local else None

    async def known_as(self, job_id: str) -> str:
        """The id under which the rag_server has the job."""
        entry = await self._outbox.get(job_id)
        return entry.known_as or job_id if entry is not None else job_id

    async def cancel(self, job_id: str) -> Entry | None:
        """The cancelled entry. Raises JobEnded."""
        if await self.local(job_id) is None:
            return None
        entry = await self._outbox.cancel(job_id, self._clock())
        self._changed()
        if entry is not None and entry.state is EntryState.REFUSED:
            raise JobEnded
        return entry if entry is not None and entry.is_local else None

    async def retry(self, job_id: str) -> Entry | None:
        """The entry, PENDING again. Raises JobNotRetryable."""
        entry = await self.local(job_id)
        if entry is None:
            return None
        if entry.state is EntryState.PENDING or not await self._still_kept(entry):
            raise JobNotRetryable
        entry = await self._outbox.retry(job_id, self._clock())
        self._changed()
        return entry if entry is not None and entry.is_local else None

    async def give_way(self, collection: str, document_key: str) -> None:
        """Cancel what waits for a document, or for a whole collection where the key is empty: it is to be deleted."""
        if await self._outbox.cancel_documents(collection, document_key, self._clock()):
            self._changed()

    async def let_pass(self, collection: str, *, texts_only: bool) -> None:
        """Wait until what was accepted before this for the collection is handed over: a delete is to come after it.

        Raises RagServerUnavailable where that takes too long.
        """
        wanted = EntryFilter(collection, frozenset({EntryState.PENDING}))
        waiting = await self._outbox.list_entries(wanted, "", MOST_WAITING)
        job_ids = [entry.job_id for entry in waiting if not (texts_only and entry.upload.document_key)]
        try:
            async with asyncio.timeout(PASS_S):
                for job_id in job_ids:
                    await self._settled(job_id)
        except TimeoutError:
            raise RagServerUnavailable from None

    async def _settled(self, job_id: str) -> None:
        while True:
            ticket = self._changed.ticket(job_id)
            entry = await self._outbox.get(job_id)
            if entry is None or entry.state is not EntryState.PENDING:
                return
            await self._changed.wait(ticket, POLL_S)

    async def _still_kept(self, entry: Entry) -> bool:
        try:
            await asyncio.to_thread(self._blobs.keep, entry.blob.sha256)
        except FileNotFoundError:
            return False
        return await asyncio.to_thread(self._blobs.has, entry.blob)
