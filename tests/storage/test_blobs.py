import asyncio
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from storage.blobs import BUFFER_BYTES, STALE_UPLOAD_S, Blob, BlobFolder

CONTENT = os.urandom(BUFFER_BYTES + 12_345)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PIECE = 256 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> BlobFolder:
    return BlobFolder(tmp_path / "blobs")


async def _store(folder: BlobFolder, content: bytes = CONTENT) -> Blob:
    async with folder.begin() as writer:
        for start in range(0, len(content), PIECE):
            await writer.write(content[start : start + PIECE])
        return await writer.finish()


def _age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


async def test_a_blob_is_found_under_the_hash_of_its_bytes(folder: BlobFolder) -> None:
    blob = await _store(folder)
    assert blob == Blob(SHA256, len(CONTENT))
    assert folder.path(SHA256).read_bytes() == CONTENT
    assert folder.has(blob)
    assert folder.incoming() == []


async def test_a_blob_of_another_size_or_hash_is_not_there(folder: BlobFolder) -> None:
    blob = await _store(folder)
    assert not folder.has(Blob(blob.sha256, 1))
    assert not folder.has(Blob("0" * 64, blob.size_bytes))


async def test_an_empty_upload_is_a_blob(folder: BlobFolder) -> None:
    blob = await _store(folder, b"")
    assert blob == Blob(hashlib.sha256(b"").hexdigest(), 0)
    assert folder.has(blob)


async def test_the_hash_is_known_before_the_end(folder: BlobFolder) -> None:
    async with folder.begin() as writer:
        await writer.write(CONTENT)
        assert writer.sha256() == SHA256
        assert writer.size_bytes == len(CONTENT)


async def test_two_writers_of_the_same_bytes_leave_one_file(folder: BlobFolder) -> None:
    blobs = await asyncio.gather(*(_store(folder) for _ in range(4)))
    assert set(blobs) == {Blob(SHA256, len(CONTENT))}
    assert [path.name for path in folder.files()] == [SHA256]
    assert folder.incoming() == []


async def test_an_upload_that_breaks_off_leaves_nothing(folder: BlobFolder) -> None:
    async def break_off() -> None:
        async with folder.begin() as writer:
            await writer.write(CONTENT)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await break_off()
    assert folder.incoming() == []
    assert list(folder.files()) == []


async def test_an_upload_cancelled_in_a_write_leaves_nothing(folder: BlobFolder) -> None:
    async def upload() -> None:
        async with folder.begin() as writer:
            while True:
                await writer.write(CONTENT)

    uploading = asyncio.create_task(upload())
    await asyncio.wait({uploading}, timeout=0.05)
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    assert folder.incoming() == []


async def test_an_abort_that_is_cancelled_itself_leaves_nothing(folder: BlobFolder) -> None:
    writer = folder.begin()
    writing = asyncio.create_task(writer.write(CONTENT))
    await asyncio.sleep(0)
    writing.cancel()
    aborting = asyncio.create_task(writer.abort())
    await asyncio.sleep(0)
    aborting.cancel()
    await asyncio.wait({writing, aborting})
    assert writer._working is not None
    await asyncio.wait({writer._working})
    assert folder.incoming() == []


async def test_aborting_after_the_end_keeps_the_blob(folder: BlobFolder) -> None:
    writer = folder.begin()
    await writer.write(CONTENT)
    blob = await writer.finish()
    await writer.abort()
    assert folder.has(blob)


async def test_a_sweep_takes_old_blobs_that_nobody_wants(folder: BlobFolder) -> None:
    wanted, unwanted, young = [await _store(folder, content) for content in (b"wanted", b"unwanted", b"young")]
    for blob in (wanted, unwanted):
        _age(folder.path(blob.sha256), 7_200)
    assert folder.sweep(lambda sha256: sha256 == wanted.sha256, 3_600) == 1
    assert [folder.has(blob) for blob in (wanted, unwanted, young)] == [True, False, True]


async def test_a_blob_that_is_kept_or_sent_again_is_young(folder: BlobFolder) -> None:
    kept, sent = [await _store(folder, content) for content in (b"kept", b"sent")]
    for blob in (kept, sent):
        _age(folder.path(blob.sha256), 7_200)
    folder.keep(kept.sha256)
    await _store(folder, b"sent")
    assert folder.sweep(lambda _: False, 3_600) == 0


async def test_keeping_what_is_not_there_fails(folder: BlobFolder) -> None:
    with pytest.raises(FileNotFoundError):
        folder.keep("0" * 64)


async def test_a_sweep_takes_uploads_that_broke_off_long_ago(folder: BlobFolder) -> None:
    old, young = folder.begin(), folder.begin()
    for writer in (old, young):
        await writer.write(CONTENT)
    by_age = sorted(folder.incoming())
    _age(by_age[0], STALE_UPLOAD_S + 60)
    assert folder.sweep(lambda _: True, 3_600) == 1
    assert folder.incoming() == [by_age[1]]
    for writer in (old, young):
        await writer.abort()


async def test_a_sweep_never_takes_what_a_writer_found_there(folder: BlobFolder) -> None:
    """Writers and a sweep at once: after each write the blob is there, or the writer would have lost its bytes."""
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            folder.sweep(lambda _: False, 3_600)

    sweeping = asyncio.create_task(asyncio.to_thread(sweep))
    try:
        for _ in range(60):
            blob = await _store(folder, b"again")
            assert folder.has(blob)
            _age(folder.path(blob.sha256), 7_200)
    finally:
        stop.set()
        await sweeping


async def test_a_blob_wanted_meanwhile_is_not_swept(folder: BlobFolder) -> None:
    blob = await _store(folder)
    _age(folder.path(blob.sha256), 7_200)
    asked: list[str] = []

    def wanted(sha256: str) -> bool:
        asked.append(sha256)
        return True

    assert folder.sweep(wanted, 3_600) == 0
    assert asked == [SHA256]


async def test_a_file_that_another_process_wrote_becomes_a_blob(folder: BlobFolder) -> None:
    draft = folder.draft()
    draft.write_bytes(CONTENT)
    assert folder.incoming() == [draft]
    assert folder.take(draft) == Blob(SHA256, len(CONTENT))
    assert folder.path(SHA256).read_bytes() == CONTENT
    assert folder.incoming() == []
