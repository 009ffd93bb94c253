"""Deleting the documents that meet a filter, in batches."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rag_server.batch_ports import Batches
from rag_server.document_ports import Contents
from rag_server.domain.errors import CollectionNotFound
from rag_server.domain.filter import Attributes, Filter
from rag_server.domain.filter_record import filter_from_record
from rag_server.domain.job import Claim
from rag_server.ports import Wakeups
from rag_server.worker.progress import ProgressMeter

LOOK = 200  # documents read at once, and deleted in one transaction at the most


@dataclass(frozen=True, slots=True)
class Deletion:
    """Carries one claimed job from a filter to the deletes. A job that was broken off finds what is left."""

    batches: Batches
    contents: Contents
    wakeups: Wakeups

    async def carry_out(self, claim: Claim, meter: ProgressMeter) -> None:
        """Raises LeaseLost, and what the ports raise."""
        collection = claim.job.order.collection
        wanted = filter_from_record(json.loads(claim.job.order.parameters_json)["filter"])
        done = claim.job.result.deleted
        total = done
        async for found in self._matching(collection, wanted):
            total += len(found)
            meter.documents(done, total, time.monotonic())
        async for found in self._matching(collection, wanted):
            counts = await self.batches.delete(claim, found, time.time())
            self.wakeups.notify("changes")
            self.wakeups.notify("cancel")  # a job under way for one of the documents has to stop
            meter.documents(counts.deleted, max(total, counts.deleted), time.monotonic())
        await self.batches.finish(claim, None, time.time())

    async def _matching(self, collection: str, wanted: Filter) -> AsyncIterator[list[Attributes]]:
        """What meets the filter, look by look; some may be empty."""
        after = ""
        try:
            while standing := await self.contents.standing_after(collection, after, LOOK):
                yield [one.attributes for one in standing if one.meets(wanted)]
                after = standing[-1].document.document_key
        except CollectionNotFound:
            return  # nothing is left to delete
