"""Keeping the outbox: the bytes of what waits are kept from the sweep, what is long settled is forgotten."""

import asyncio
from collections.abc import Callable

from gateway.ports import Blobs, OutboxRecords
from serving import logs
from serving.errors import Unavailable

LOG = logs.get(__name__)
EVERY_S = 1_800.0
KEPT_S = 30 * 86_400.0  # as long as jobs are


class Keeping:
    """Looks after the outbox twice an hour."""

    def __init__(self, records: OutboxRecords, blobs: Blobs, clock: Callable[[], float]) -> None:
        self._records = records
        self._blobs = blobs
        self._clock = clock

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                LOG.warning("outbox not looked after", cause=str(error))
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Raises StorageUnavailable."""
        for blob in await self._records.pending_blobs():
            try:
                await asyncio.to_thread(self._blobs.keep, blob.sha256)
            except FileNotFoundError:
                LOG.exception("bytes of an acknowledged upload are missing", sha256=blob.sha256)
        forgotten = await self._records.prune(self._clock() - KEPT_S)
        if forgotten:
            LOG.info("outbox pruned", entries=forgotten)
