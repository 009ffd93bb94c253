"""Files by content: a folder that holds every upload once, under the SHA-256 of its bytes.

A file is written beside its place, forced to the disk, then renamed: what has a name is whole.
"""

import asyncio
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, Self

BUFFER_BYTES = 1 << 20
STALE_UPLOAD_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes in the store, by content."""

    sha256: str  # 64 lowercase hexadecimal digits
    size_bytes: int


class BlobFolder:
    """The blob store of one machine. Any number of processes may write to it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._durable: set[str] = set()  # folders whose own entry this process has forced to the disk

    def begin(self) -> "BlobWriter":
        """Start an upload."""
        return BlobWriter(self, self._incoming / secrets.token_hex(16))

    def path(self, sha256: str) -> Path:
        """Where the bytes with this hash are, or would be."""
        return self._folder / sha256[:2] / sha256

    def has(self, blob: Blob) -> bool:
        """Whether the bytes are there, with that size."""
        try:
            return self.path(blob.sha256).stat().st_size == blob.size_bytes
        except FileNotFoundError:
            return False

    def free_bytes(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self._folder).free

    def draft(self) -> Path:
        """A new name beside uploads under way, for a file that another process writes."""
        return self._incoming / secrets.token_hex(16)

    def take(self, written: Path) -> Blob:
        """Hash a file that was written there, force it to the disk and give it its name. Raises OSError."""
        return take(self, written)

    def keep(self, sha256: str) -> None:
        """Mark the bytes as wanted now, so that a sweep leaves them alone. Raises FileNotFoundError."""
        with self._guarded(fcntl.LOCK_SH):
            os.utime(self.path(sha256))

    def place(self, written: Path, blob: Blob) -> None:
        """Give a written file its name; a file that was there before is the same and is kept."""
        target = self.path(blob.sha256)
        with self._guarded(fcntl.LOCK_SH):
            if self.has(blob):
                os.utime(target)
                written.unlink()
                return
            target.parent.mkdir(exist_ok=True, mode=0o700)
            written.rename(target)
        sync_folder(target.parent)
        if target.parent.name not in self._durable:  # whoever made it may not have come so far
            sync_folder(self._folder)
            self._durable.add(target.parent.name)

    def sweep(self, wanted: Callable[[str], bool], older_than_s: float) -> int:
        """Remove old files that nobody wants, and uploads that broke off; returns how many.

        `wanted(sha256)` is asked while no writer can place or keep a file, so a file wanted again is never lost.
        """
        removed = 0
        limit = time.time() - older_than_s
        for path in list(self.files()):
            with self._guarded(fcntl.LOCK_EX):
                if path.exists() and path.stat().st_mtime < limit and not wanted(path.name):
                    path.unlink()
                    removed += 1
        stale = time.time() - STALE_UPLOAD_S
        for path in self.incoming():
            with suppress(FileNotFoundError):  # an upload that ended meanwhile
                if path.stat().st_mtime < stale:
                    path.unlink()
                    removed += 1
        return removed

    def files(self) -> Iterator[Path]:
        """Every stored file; its name is its hash."""
        return self._folder.glob("[0-9a-f][0-9a-f]/*")

    def incoming(self) -> list[Path]:
        """Uploads under way, and such as broke off."""
        return list(self._incoming.iterdir())

    @contextmanager
    def _guarded(self, mode: int) -> Iterator[None]:
        with (self._folder / ".guard").open("wb") as guard:
            fcntl.flock(guard, mode)
            yield


class Shelf(Protocol):
    """Where a written file gets its name."""

    def place(self, written: Path, blob: Blob) -> None:
        """Take the file, which lies beside its place; waits for the medium. Raises OSError."""


def take(shelf: Shelf, written: Path) -> Blob:
    """Give a whole file, which is new, its place. Raises OSError."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
        blob = Blob(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())
    shelf.place(written, blob)
    return blob


class BlobWriter:
    """One upload. Call `finish`, or `abort`: as an asynchronous context manager it aborts what was not finished."""

    def __init__(self, shelf: Shelf, path: Path) -> None:
        self._shelf = shelf
        self._path = path
        self._file: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0  # in the pieces
        self._working: asyncio.Future[Any] | None = None
        self.size_bytes = 0

    async def write(self, piece: bytes) -> None:
        """Add bytes. Raises OSError where the disk fails."""
        self.size_bytes += len(piece)
        self._pieces.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes >= BUFFER_BYTES:
            self._working = asyncio.ensure_future(asyncio.to_thread(self._flush))
            await asyncio.shield(self._working)

    def sha256(self) -> str:
        """The hash of everything that was written, in hexadecimal digits."""
        digest = self._hash.copy()
        for piece in self._pieces:
            digest.update(piece)
        return digest.hexdigest()

    async def finish(self) -> Blob:
        """Force the bytes to the disk and give them their name. Raises OSError."""
        finishing = asyncio.ensure_future(asyncio.to_thread(self._finish))
        self._working = finishing
        return await asyncio.shield(finishing)

    async def abort(self) -> None:
        """Forget the upload. Does nothing after `finish`. A cancellation while it waits does not call it back."""
        if self._working is None or self._working.done():
            self._forget()
            return
        # What was cancelled goes on in its thread: the file is its until then.
        self._working.add_done_callback(lambda _: self._forget())
        await asyncio.wait([self._working])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.abort()

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def _finish(self) -> Blob:
        self._flush()
        assert self._file is not None  # noqa: S101 - _flush has opened it
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        blob = Blob(self._hash.hexdigest(), self.size_bytes)
        self._shelf.place(self._path, blob)
        self._file = None
        return blob

    def _flush(self) -> None:
        if self._file is None:
            self._file = self._path.open("xb")
        data = b"".join(self._pieces)  # a single piece is not copied
        self._pieces.clear()
        self._waiting_bytes = 0
        self._file.write(data)
        self._file.flush()
        # The kernel begins to write now, so that fsync has little left to do while a client waits for its answer, and
        # what is on the disk makes room: uploads do not push the store out of memory.
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._hash.update(data)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
