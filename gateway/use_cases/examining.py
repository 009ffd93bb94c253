"""Examining the gateway's own parts: is the outbox there, is there room."""

from collections.abc import Callable

from gateway.domain.capacity import Capacity
from gateway.domain.errors import DiskLow
from gateway.domain.health import Condition, Part
from gateway.ports import Blobs, OutboxRecords
from serving.errors import Unavailable

LATE_S = 60.0


class Examining:
    """Says how the gateway is."""

    def __init__(self, records: OutboxRecords, blobs: Blobs, capacity: Capacity, clock: Callable[[], float]) -> None:
        self._records = records
        self._blobs = blobs
        self._capacity = capacity
        self._clock = clock

    async def health(self) -> list[Part]:
        """In the order in which data flows through them."""
        return [Part("gateway", Condition.OK, "Answers."), self._disk(), await self._outbox()]

    def _disk(self) -> Part:
        free_bytes = self._blobs.free_bytes()
        try:
            self._capacity.check_disk(free_bytes, 0)
        except DiskLow as error:
            return Part("disk", Condition.DEGRADED, error.message)
        return Part("disk", Condition.OK, f"{free_bytes >> 20} MiB free.")

    async def _outbox(self) -> Part:
        try:
            pending, oldest = await self._records.counts()
        except Unavailable as error:
            return Part("outbox", Condition.DOWN, error.message)
        if oldest is None:
            return Part("outbox", Condition.OK, "Empty.")
        age_s = max(0.0, self._clock() - oldest)
        condition = Condition.DEGRADED if age_s > LATE_S else Condition.OK
        return Part("outbox", condition, f"{pending} wait to be handed over, the oldest for {age_s:.0f} s.")
