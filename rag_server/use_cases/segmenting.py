"""Asking for compressed segments where many vectors are searched exactly, or most of a segment is dead."""

import asyncio
import time
from dataclasses import dataclass, field

import uuid_utils

from rag_server.domain.errors import NotReady
from rag_server.domain.job import JobKind, Order
from rag_server.domain.segment import SegmentLimits, VectorHolding, segments_to_renew
from rag_server.index_ports import Indexes
from rag_server.ports import Wakeups
from rag_server.segment_ports import Segments
from serving import logs
from serving.errors import Unavailable

LOG = logs.get(__name__)
LOOK_S = 5.0
ASK_AGAIN_S = 600.0  # where what was asked for has changed nothing here
# The build works in slices, and lets documents go in between (worker/segmentation.py).
PRIORITY = 9


@dataclass(frozen=True, slots=True)
class _Asked:
    rows: tuple[int, ...]  # of the segments that were there
    time_s: float


@dataclass(frozen=True, slots=True)
class Segmenting:
    """Runs beside the serving of one server. Any number of servers may do so at once."""

    indexes: Indexes
    segments: Segments
    wakeups: Wakeups
    limits: SegmentLimits
    _asked: dict[str, _Asked] = field(default_factory=dict)  # by collection

    async def run(self) -> None:
        """Never returns. A store that does not answer is asked again the next time."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except NotReady:
                continue
            except Unavailable as error:
                LOG.warning("segments put off", cause=repr(error.__cause__ or error))

    async def look(self) -> None:
        """Ask for what is due. :raises NotReady:"""
        holdings = self.indexes.current().vectors.holdings()
        for collection, holding in holdings.items():
            if segments_to_renew(holding.exact_rows, holding.segments, self.limits) is not None:
                await self._ask(collection, holding)

    async def _ask(self, collection: str, holding: VectorHolding) -> None:
        """Ask, unless it was done lately and no segment has come since."""
        now_s = time.monotonic()
        last = self._asked.get(collection)
        rows = tuple(segment.rows for segment in holding.segments)
        if last is not None and last.rows == rows and now_s - last.time_s < ASK_AGAIN_S:
            return
        self._asked[collection] = _Asked(rows, now_s)
        order = Order(str(uuid_utils.uuid7()), collection, "", "", "", 0, priority=PRIORITY, kind=JobKind.MAINTENANCE)
        if await self.segments.ask(order, time.time()):
            LOG.info("a segment is asked for", collection=collection, exact_rows=holding.exact_rows)
            self.wakeups.notify("queue")
