"""Letting a document in: is there room, is it known, and then durably into the queue."""

import asyncio
import time
from dataclasses import dataclass

from rag_server.domain.errors import BlobNotFound, DiskLow, UploadTooLarge
from rag_server.domain.job import Job, Order, accept_time
from rag_server.ports import Blobs, Jobs, Wakeups
from storage.blobs import Blob

DISK_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Admitting:
    """Decides about uploads, and makes their jobs."""

    jobs: Jobs
    blobs: Blobs
    wakeups: Wakeups
    max_upload_bytes: int
    min_free_bytes: int

    def check_room(self, size_bytes: int) -> None:
        """Whether a file of this size would be taken now. Raises UploadTooLarge, DiskLow."""
        if size_bytes > self.max_upload_bytes:
            told = f"The file has {size_bytes} bytes; this server takes up to {self.max_upload_bytes}."
            raise UploadTooLarge(told, asked=str(size_bytes), allowed=str(self.max_upload_bytes))
        if self.blobs.free_bytes() - size_bytes < self.min_free_bytes:
            raise DiskLow(retry_after_s=DISK_RETRY_S)

    async def admit_known(self, order: Order) -> Job | None:
        """The job where no bytes are needed: the request is known, or the document stands unchanged. Else None."""
        return await self.jobs.admit_known(order, time.time())

    async def admit(self, order: Order) -> Job:
        """Make the job for bytes that are in the blob store. Raises BlobNotFound, RequestIdReused."""
        blob = Blob(order.sha256, order.size_bytes)
        if not await asyncio.to_thread(self.blobs.has, blob):
            raise BlobNotFound(name=order.sha256)
        # A gateway may have accepted the document long before this server could be reached.
        job = await self.jobs.admit(order, min(time.time(), accept_time(order.job_id)))
        self.wakeups.notify("queue")
        return job
