"""Blobs in an object store: what only they can do, and how they fail."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore, S3Store

from serving.errors import Unavailable
from storage.blobs import BUFFER_BYTES, STALE_UPLOAD_S, Blob
from storage.object_blobs import YOUNG_S, ObjectBlobs

GRACE_S = 86_400.0


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def store(blobs: ObjectBlobs, content: bytes) -> Blob:
    async with blobs.begin() as writer:
        await writer.write(content)
        return await writer.finish()


def names(bucket: MemoryStore | LocalStore) -> list[str]:
    return sorted(one["path"] for one in obstore.list(bucket).collect())


@pytest.fixture
def bucket() -> MemoryStore:
    return MemoryStore()


async def test_replicas_share_what_one_of_them_took_in(bucket: MemoryStore, tmp_path: Path) -> None:
    gateway, worker = [ObjectBlobs(bucket, tmp_path / name, 1 << 20) for name in ("gateway", "worker")]
    blob = await store(gateway, b"shared")
    assert worker.has(blob)
    assert worker.path(blob.sha256).read_bytes() == b"shared"


async def test_what_was_read_once_is_near(bucket: MemoryStore, tmp_path: Path) -> None:
    blobs = ObjectBlobs(bucket, tmp_path, 1 << 20)
    blob = await store(blobs, b"near")
    first = blobs.path(blob.sha256)
    obstore.delete(bucket, names(bucket))
    assert blobs.path(blob.sha256) == first
    assert first.read_bytes() == b"near"


async def test_bytes_that_are_not_what_their_name_says_are_not_handed_out(bucket: MemoryStore, tmp_path: Path) -> None:
    name = sha256(b"right")
    obstore.put(bucket, f"{name[:2]}/{name}/{int(time.time()):012d}-ab", b"wrong")
    assert not ObjectBlobs(bucket, tmp_path, 1 << 20).path(name).exists()
    obstore.put(bucket, f"{name[:2]}/{name}/000000000001-ab", b"right")
    assert ObjectBlobs(bucket, tmp_path, 1 << 20).path(name).read_bytes() == b"right"


async def test_a_young_copy_is_relied_on_and_an_old_one_is_not(bucket: MemoryStore, tmp_path: Path) -> None:
    passed_s = 0.0
    blobs = ObjectBlobs(bucket, tmp_path, 1 << 20, lambda: time.time() + passed_s)
    blob = await store(blobs, b"again")
    await store(blobs, b"again")
    blobs.keep(blob.sha256)
    assert len(names(bucket)) == 1
    passed_s = YOUNG_S + 60
    blobs.keep(blob.sha256)
    assert len(names(bucket)) == 2
    passed_s = 2 * YOUNG_S + 120
    await store(blobs, b"again")
    assert len(names(bucket)) == 3
    passed_s += GRACE_S
    assert blobs.sweep(lambda _: True, GRACE_S) == 2  # a wanted one stays, however old
    assert blobs.has(blob)


async def test_a_sweep_goes_through_many_pages(bucket: MemoryStore, tmp_path: Path) -> None:
    for number in range(2_500):
        name = sha256(str(number).encode())
        obstore.put(bucket, f"{name[:2]}/{name}/000000000001-ab", b"")
    wanted = sha256(b"7")
    assert ObjectBlobs(bucket, tmp_path, 1 << 20).sweep(lambda name: name == wanted, GRACE_S) == 2_499
    assert [name.split("/")[1] for name in names(bucket)] == [wanted]


async def test_what_an_operator_put_beside_the_blobs_is_left_alone(bucket: MemoryStore, tmp_path: Path) -> None:
    beside = ["README", "ab/notes/x", f"ab/{'0' * 64}/no-time"]
    for name in beside:
        obstore.put(bucket, name, b"")
    assert ObjectBlobs(bucket, tmp_path, 1 << 20).sweep(lambda _: False, 0.0) == 0
    assert names(bucket) == sorted(beside)


async def test_the_folder_nearby_keeps_to_its_size_and_keeps_what_was_used_last(
    bucket: MemoryStore, tmp_path: Path
) -> None:
    blobs = ObjectBlobs(bucket, tmp_path, 2_500)
    stored = [await store(blobs, bytes([number]) * 1_000) for number in range(4)]
    for age_s, blob in ((300, stored[0]), (200, stored[1])):
        moment = time.time() - age_s
        os.utime(blobs.path(blob.sha256), (moment, moment))
    blobs.path(stored[0].sha256)
    blobs.path(stored[2].sha256)
    near = {path.name for path in (tmp_path / "cache").iterdir()}
    assert near == {stored[0].sha256, stored[2].sha256}


async def test_a_file_larger_than_the_folder_nearby_is_handed_out_all_the_same(
    bucket: MemoryStore, tmp_path: Path
) -> None:
    blobs = ObjectBlobs(bucket, tmp_path, 10)
    blob = await store(blobs, b"x" * 1_000)
    assert blobs.path(blob.sha256).stat().st_size == 1_000


async def test_what_broke_off_long_ago_is_forgotten_at_the_start(bucket: MemoryStore, tmp_path: Path) -> None:
    blobs = ObjectBlobs(bucket, tmp_path, 10)
    old, young = blobs.begin(), blobs.begin()
    await old.write(b"x" * BUFFER_BYTES)  # so much is no longer kept in memory
    moment = time.time() - STALE_UPLOAD_S - 60
    os.utime(blobs.incoming()[0], (moment, moment))
    await young.write(b"y" * BUFFER_BYTES)
    part = tmp_path / "cache" / "0.part"
    part.touch()
    os.utime(part, (moment, moment))
    again = ObjectBlobs(bucket, tmp_path, 10)
    assert len(again.incoming()) == 1
    assert not part.exists()
    await young.abort()
    await old.abort()


@pytest.fixture
def failing_s3() -> Iterator[str]:
    """An object store that answers every request with a failure."""

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403)

        def do_PUT(self) -> None:
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_store_that_fails_is_told_as_unavailable_and_as_a_failure_of_the_medium(
    failing_s3: str, tmp_path: Path
) -> None:
    bucket = S3Store("bucket", endpoint=failing_s3, skip_signature=True, client_options={"allow_http": True})
    blobs = ObjectBlobs(bucket, tmp_path, 10)
    for call in (lambda: blobs.has(Blob("0" * 64, 1)), lambda: blobs.path("0" * 64), lambda: blobs.sweep(bool, 0.0)):
        with pytest.raises(Unavailable) as raised:
            call()
        assert isinstance(raised.value, OSError)
    with pytest.raises(OSError, match="store"):
        await store(blobs, b"x")
    assert blobs.incoming() == []


async def test_a_file_that_another_process_wrote_is_shared(bucket: MemoryStore, tmp_path: Path) -> None:
    one, other = (ObjectBlobs(bucket, tmp_path / name, 1_000) for name in ("one", "other"))
    draft = one.draft()
    draft.write_bytes(b"bytes")
    blob = one.take(draft)
    assert blob == Blob(sha256(b"bytes"), 5)
    assert other.path(blob.sha256).read_bytes() == b"bytes"
