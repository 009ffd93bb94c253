"""Taking a document in: bytes once into the blob store, then a row into the outbox; what breaks off leaves nothing."""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from gateway.domain.capacity import DISK_RETRY_S, Capacity
from gateway.domain.entry import Entry, Origin, same_request
from gateway.domain.errors import BlobsUnavailable, DiskLow, RequestIdReused, UploadMismatch
from gateway.domain.upload import Announced, Upload
from gateway.ports import Blobs, BlobWriter, Outbox
from gateway.use_cases.forwarding import CLAIM_S, Forwarding
from serving.failpoint import failpoint
from storage.blobs import Blob

DISK_LOOK_BYTES = 8 << 20
SHORT_BYTES = 64 << 10  # hashed sooner than a thread is asked


class TakingIn:
    """Decides what is taken in, and keeps it durably."""

    def __init__(self, blobs: Blobs, outbox: Outbox, capacity: Capacity, forwarding: Forwarding) -> None:
        self._blobs = blobs
        self._outbox = outbox
        self._forwarding = forwarding
        self.capacity = capacity

    def admit(self, announced_bytes: int) -> None:
        """Whether a file of this size (0: not known) would be taken now. Raises UploadTooLarge, DiskLow."""
        self.capacity.check_size(announced_bytes)
        self.capacity.check_disk(self._blobs.free_bytes(), announced_bytes)

    def begin(self) -> "Receiving":
        """Start to receive a file."""
        return Receiving(self._blobs, self.capacity)

    async def known(self, upload: Upload, sha256: str) -> Entry | None:
        """The entry that the upload's request id stands for. Raises RequestIdReused; an empty hash is not compared."""
        if not upload.request_id:
            return None
        entry = await self._outbox.find_request(upload.request_id)
        if entry is not None and not same_request(entry, upload, sha256):
            raise RequestIdReused
        return entry

    async def accept(self, upload: Upload, blob: Blob, origin: Origin, job_id: str, now: float) -> Entry:
        """Promise that the document is taken in, as job `job_id`; or return the entry of its request id.

        Job ids must grow in the order of the calls. Raises RequestIdReused, StorageUnavailable.
        """
        failpoint("gateway.blob_placed")
        claim = self._forwarding.holder, now + CLAIM_S
        entry = await self._outbox.accept(Entry(job_id, upload, blob, origin, now, now), *claim)
        failpoint("gateway.row_written")
        self._forwarding.offer(entry)
        return entry


class Receiving:
    """One file on its way in. As a context manager it forgets what was not finished."""

    def __init__(self, blobs: Blobs, capacity: Capacity) -> None:
        self._blobs = blobs
        self._capacity = capacity
        self._writer: BlobWriter = blobs.begin()
        self._looked_at_bytes = 0

    async def write(self, piece: bytes) -> None:
        """Add bytes. Raises UploadTooLarge, DiskLow, BlobsUnavailable."""
        self._capacity.check_size(self._writer.size_bytes + len(piece))
        with _disk_told():
            await self._writer.write(piece)
        if self._writer.size_bytes - self._looked_at_bytes >= DISK_LOOK_BYTES:
            self._looked_at_bytes = self._writer.size_bytes
            self._capacity.check_disk(self._blobs.free_bytes(), 0)

    @property
    def size_bytes(self) -> int:
        """What has come so far."""
        return self._writer.size_bytes

    async def finish(self, announced: Announced) -> Blob:
        """Give the bytes their name if they are those announced. Raises UploadMismatch, DiskLow, BlobsUnavailable."""
        await self.check(announced)
        with _disk_told():
            return await self._writer.finish()

    async def check(self, announced: Announced) -> None:
        """Whether the bytes are those announced. Raises UploadMismatch."""
        received = self._writer.size_bytes
        if announced.size_bytes is not None and received != announced.size_bytes:
            raise UploadMismatch(received_bytes=str(received), announced_bytes=str(announced.size_bytes))
        if announced.sha256 and await self._sha256() != announced.sha256:
            raise UploadMismatch(received_bytes=str(received), announced_sha256=announced.sha256)

    async def _sha256(self) -> str:
        if self._writer.size_bytes <= SHORT_BYTES:
            return self._writer.sha256()
        return await asyncio.to_thread(self._writer.sha256)

    async def __aenter__(self) -> Self:
        await self._writer.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._writer.__aexit__(*error)


@contextmanager
def _disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskLow(retry_after_s=DISK_RETRY_S) from error
        raise BlobsUnavailable from error
