"""What every blob store does."""

import asyncio
import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from storage.blobs import BUFFER_BYTES, Blob, BlobFolder
from storage.object_blobs import ObjectBlobs

CONTENT = os.urandom(7 * BUFFER_BYTES + 12_345)  # two parts of a multipart upload
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PIECE = 256 * 1024
GRACE_S = 86_400.0


@dataclass(slots=True)
class Ageing:
    """A blob store in which time can be passed."""

    blobs: BlobFolder | ObjectBlobs
    passed_s: float = 0.0

    def clock(self) -> float:
        return time.time() + self.passed_s

    def age(self, seconds: float) -> None:
        self.passed_s += seconds
        if isinstance(self.blobs, BlobFolder):
            for path in self.blobs.files():
                moment = path.stat().st_mtime - seconds
                os.utime(path, (moment, moment))

    async def store(self, content: bytes) -> Blob:
        async with self.blobs.begin() as writer:
            for start in range(0, len(content), PIECE):
                await writer.write(content[start : start + PIECE])
            return await writer.finish()


@pytest.fixture(params=["folder", "local objects", "objects in memory"])
def ageing(request: pytest.FixtureRequest, tmp_path: Path) -> Ageing:
    result = Ageing(BlobFolder(tmp_path / "blobs"))
    if request.param != "folder":
        bucket = MemoryStore() if "memory" in request.param else LocalStore(tmp_path / "bucket", mkdir=True)
        result.blobs = ObjectBlobs(bucket, tmp_path / "near", 1 << 30, result.clock)
    return result


async def test_a_blob_is_found_under_the_hash_of_its_bytes(ageing: Ageing) -> None:
    blob = await ageing.store(CONTENT)
    assert blob == Blob(SHA256, len(CONTENT))
    assert ageing.blobs.has(blob)
    assert ageing.blobs.path(SHA256).read_bytes() == CONTENT
    assert ageing.blobs.incoming() == []


async def test_a_blob_of_another_size_or_hash_is_not_there(ageing: Ageing) -> None:
    blob = await ageing.store(CONTENT)
    assert not ageing.blobs.has(Blob(blob.sha256, 1))
    assert not ageing.blobs.has(Blob("0" * 64, blob.size_bytes))
    assert not ageing.blobs.path("0" * 64).exists()


async def test_an_empty_upload_is_a_blob(ageing: Ageing) -> None:
    blob = await ageing.store(b"")
    assert blob == Blob(hashlib.sha256(b"").hexdigest(), 0)
    async with ageing.blobs.begin() as writer:
        assert await writer.finish() == blob
    assert ageing.blobs.has(blob)
    assert ageing.blobs.path(blob.sha256).read_bytes() == b""


async def test_an_upload_is_not_seen_before_its_end(ageing: Ageing) -> None:
    async with ageing.blobs.begin() as writer:
        await writer.write(CONTENT)
        assert await asyncio.to_thread(writer.sha256) == SHA256
        assert not ageing.blobs.has(Blob(SHA256, len(CONTENT)))
        assert len(ageing.blobs.incoming()) == 1
    assert not ageing.blobs.has(Blob(SHA256, len(CONTENT)))
    assert ageing.blobs.incoming() == []


async def test_writers_of_the_same_bytes_do_not_hinder_each_other(ageing: Ageing) -> None:
    blobs = await asyncio.gather(*(ageing.store(b"the same") for _ in range(8)))
    assert len(set(blobs)) == 1
    assert ageing.blobs.path(blobs[0].sha256).read_bytes() == b"the same"
    assert ageing.blobs.incoming() == []


async def test_a_sweep_takes_old_blobs_that_nobody_wants(ageing: Ageing) -> None:
    wanted, unwanted = [await ageing.store(content) for content in (b"wanted", b"unwanted")]
    ageing.age(GRACE_S + 60)
    young = await ageing.store(b"young")
    assert ageing.blobs.sweep(lambda sha256: sha256 == wanted.sha256, GRACE_S) == 1
    assert [ageing.blobs.has(blob) for blob in (wanted, unwanted, young)] == [True, False, True]


async def test_a_blob_that_is_kept_or_sent_again_is_young(ageing: Ageing) -> None:
    kept, sent = [await ageing.store(content) for content in (b"kept", b"sent")]
    ageing.age(GRACE_S - 60)
    ageing.blobs.keep(kept.sha256)
    await ageing.store(b"sent")
    ageing.age(600)
    ageing.blobs.sweep(lambda _: False, GRACE_S)
    assert [ageing.blobs.has(blob) for blob in (kept, sent)] == [True, True]
    assert ageing.blobs.path(kept.sha256).read_bytes() == b"kept"


async def test_keeping_what_is_not_there_fails(ageing: Ageing) -> None:
    with pytest.raises(FileNotFoundError):
        ageing.blobs.keep("0" * 64)


async def test_what_was_swept_can_be_sent_again(ageing: Ageing) -> None:
    await ageing.store(b"back again")
    ageing.age(GRACE_S + 60)
    assert ageing.blobs.sweep(lambda _: False, GRACE_S) == 1
    blob = await ageing.store(b"back again")
    assert ageing.blobs.has(blob)


async def test_a_sweep_never_takes_what_a_writer_or_keeper_relied_on(ageing: Ageing) -> None:
    """Sweeps all the time: what was placed or kept is there right after, however old it had been."""
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            ageing.blobs.sweep(lambda _: False, GRACE_S)

    sweeping = asyncio.create_task(asyncio.to_thread(sweep))
    try:
        for number in range(40):
            blob = await ageing.store(b"again")
            assert await asyncio.to_thread(ageing.blobs.has, blob)
            ageing.age(GRACE_S + 60)
            if number % 2:
                try:
                    await asyncio.to_thread(ageing.blobs.keep, blob.sha256)
                except FileNotFoundError:
                    continue
                assert await asyncio.to_thread(ageing.blobs.has, blob)
                ageing.age(GRACE_S + 60)
    finally:
        stop.set()
        await sweeping


async def test_space_that_is_left_is_told(ageing: Ageing) -> None:
    assert ageing.blobs.free_bytes() > 0
