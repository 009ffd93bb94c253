"""Verifying what must always hold of acknowledged uploads."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from gateway.domain.entry import EntryState
from gateway.domain.invariant import Invariant
from gateway.ports import Blobs, EntryFilter, Outbox, OutboxRecords, RagServerRecords

PAGE = 500
MAX_ENTRIES = 10_000  # the latest
MAX_FAULTS = 20
STALE_UPLOAD_S = 3_600.0
FORWARDED = EntryFilter(states=frozenset({EntryState.FORWARDED}))


class Verifying:
    """Checks the gateway's part of the invariants."""

    def __init__(
        self,
        outbox: Outbox,
        records: OutboxRecords,
        blobs: Blobs,
        rag_server: RagServerRecords,
        clock: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._records = records
        self._blobs = blobs
        self._rag_server = rag_server
        self._clock = clock

    async def verify(self) -> list[Invariant]:
        """Raises RagServerUnavailable."""
        return [await self._uploads(), await self._acknowledged()]

    async def _acknowledged(self) -> Invariant:
        """Every acknowledged upload is with the rag_server, or waits with its bytes."""
        forwarded = await self._forwarded_ids()
        lost = [f"jobs/{job_id} is unknown" for job_id in await self._rag_server.missing(forwarded)]
        waiting = await self._records.pending_blobs()
        present = await asyncio.to_thread(lambda: [self._blobs.has(blob) for blob in waiting])
        gone = [f"blob {blob.sha256} is missing" for blob, there in zip(waiting, present, strict=True) if not there]
        title = "Every acknowledged upload is a job of the rag_server, or waits in the outbox with its bytes."
        return Invariant("I8", title, len(forwarded) + len(waiting), tuple((lost + gone)[:MAX_FAULTS]))

    async def _uploads(self) -> Invariant:
        """Uploads that broke off are not left lying about."""
        paths = self._blobs.incoming()
        stale = [path.name for path in paths if _age_s(path, self._clock()) > STALE_UPLOAD_S]
        title = "No upload lies about that broke off more than an hour ago."
        return Invariant("I6", title, len(paths), tuple(f"upload {name} is stale" for name in stale[:MAX_FAULTS]))

    async def _forwarded_ids(self) -> list[str]:
        ids: list[str] = []
        before = ""
        while len(ids) < MAX_ENTRIES:
            page = await self._outbox.list_entries(FORWARDED, before, PAGE)
            ids.extend(entry.known_as for entry in page)
            if len(page) < PAGE:
                break
            before = page[-1].job_id
        return ids


def _age_s(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:  # it has just been finished
        return 0.0
