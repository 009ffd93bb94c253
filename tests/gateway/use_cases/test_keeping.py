"""Looking after the outbox."""

import os
import time
from pathlib import Path

from gateway.domain.entry import Entry, Origin
from gateway.domain.upload import Upload
from gateway.use_cases.keeping import KEPT_S, Keeping
from storage.blobs import Blob, BlobFolder
from tests.fakes.outbox import MemoryOutbox


async def a_blob(blobs: BlobFolder, data: bytes) -> Blob:
    async with blobs.begin() as writer:
        await writer.write(data)
        return await writer.finish()


async def accept(outbox: MemoryOutbox, job_id: str, blob: Blob) -> Entry:
    return await outbox.accept(Entry(job_id, Upload(job_id, job_id), blob, Origin("", ""), 0.0, 0.0))


async def test_the_bytes_of_what_waits_are_kept_from_the_sweep(tmp_path: Path) -> None:
    blobs, outbox = BlobFolder(tmp_path), MemoryOutbox()
    waiting, orphan = await a_blob(blobs, b"waiting"), await a_blob(blobs, b"orphan")
    await accept(outbox, "1", waiting)
    await accept(outbox, "2", Blob("0" * 64, 1))  # its bytes are gone: the others are kept all the same
    for path in blobs.files():
        os.utime(path, (0, 0))
    await Keeping(outbox, blobs, time.time).once()
    blobs.sweep(lambda _: False, older_than_s=3_600)
    assert blobs.has(waiting)
    assert not blobs.has(orphan)


async def test_what_is_long_settled_is_forgotten(tmp_path: Path) -> None:
    outbox = MemoryOutbox()
    for number in ("1", "2"):
        entry = await accept(outbox, number, Blob("0" * 64, 1))
        await outbox.forwarded(entry, number, now=float(number) * 1_000)
    await Keeping(outbox, BlobFolder(tmp_path), lambda: KEPT_S + 1_500).once()
    assert list(outbox.entries) == ["2"]
