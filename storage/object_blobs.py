"""Files by content in an object store that all replicas share: S3 and what speaks like it.

Every object is written once, whole, as `ab/<sha256>/<time>-<random>`: a hash may have several copies, and none is ever
written over. So no lock is needed. What is wanted again gets a new copy unless there is a young one, and a sweep takes
old copies only: it can never take what a writer just relied on, as long as the clocks of all replicas agree by hours.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from serving import logs
from storage.blob_cache import BlobCache, BlobDamaged
from storage.blobs import STALE_UPLOAD_S, Blob, BlobWriter, take
from storage.unavailable import StorageUnavailable

LOG = logs.get(__name__)
YOUNG_S = 6 * 3_600.0  # a copy no older than this is relied on
SWEEPABLE_S = 2 * YOUNG_S  # and one that is younger than this is never swept
PAGE = 1_000  # objects in one listing, and in one call that deletes
PIECE_BYTES = 1 << 20
SHA256_DIGITS = 64


class ObjectStoreUnavailable(StorageUnavailable, OSError):
    """The object store cannot be read or written now."""


@dataclass(frozen=True, slots=True, order=True)
class _Copy:
    sha256: str
    stored_time: float  # seconds since the epoch, by the clock of who wrote it
    name: str
    size_bytes: int

    def is_same_as(self, other: "_Copy") -> bool:
        return (self.sha256, self.size_bytes) == (other.sha256, other.size_bytes)


class ObjectBlobs:
    """The blob store of many machines. What is on its way in, and what is read, passes through a local folder.

    All but `begin`, `free_bytes` and `incoming` waits for the network: call it in a thread.
    Raises ObjectStoreUnavailable.
    """

    def __init__(
        self, store: ObjectStore, folder: Path, cache_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        """`folder` is this process's own. It holds nothing that is needed after a restart."""
        self._store = store
        self._clock = clock
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cache = BlobCache(folder / "cache", cache_bytes)
        self._forget_broken_off()

    def begin(self) -> BlobWriter:
        """Start an upload."""
        return BlobWriter(self, self._incoming / secrets.token_hex(16))

    def draft(self) -> Path:
        """A new name beside uploads under way, for a file that another process writes."""
        return self._incoming / secrets.token_hex(16)

    def take(self, written: Path) -> Blob:
        """Hash a file that was written there, and keep it under its name."""
        return take(self, written)

    def path(self, sha256: str) -> Path:
        """A local file with the bytes, fetched and verified where it was not here; no file where there are none."""
        found = self._cache.find(sha256)
        for copy in () if found else self._copies(sha256):
            try:
                return self._fetch(copy)
            except FileNotFoundError:  # swept meanwhile: there was a younger one
                continue
            except BlobDamaged:
                LOG.exception("a copy in the object store is damaged", name=copy.name)
        return found or self._cache.path(sha256)

    def has(self, blob: Blob) -> bool:
        """Whether the bytes are there, with that size."""
        return any(copy.size_bytes == blob.size_bytes for copy in self._copies(blob.sha256))

    def keep(self, sha256: str) -> None:
        """Mark the bytes as wanted now, so that a sweep leaves them alone. Raises FileNotFoundError, too."""
        copies = self._copies(sha256)
        if not copies:
            raise FileNotFoundError(sha256)
        if not self._is_young(copies[0]):
            with _told():
                obstore.copy(self._store, copies[0].name, self._new_name(sha256))

    def free_bytes(self) -> int:
        """What the local disk has left for uploads on their way in: an object store is never full."""
        return shutil.disk_usage(self._incoming).free

    def place(self, written: Path, blob: Blob) -> None:
        """Store a written file under its hash; a young copy that was there before is the same and is kept."""
        relied_on = [copy for copy in self._copies(blob.sha256) if copy.size_bytes == blob.size_bytes]
        if not any(self._is_young(copy) for copy in relied_on):
            name = self._new_name(blob.sha256)
            with _told():
                obstore.put(self._store, name, written)
                stored_bytes = obstore.head(self._store, name)["size"]
            if stored_bytes != blob.size_bytes:
                raise ObjectStoreUnavailable("The object store keeps less than it was given.")
        written.unlink()

    def sweep(self, wanted: Callable[[str], bool], older_than_s: float) -> int:
        """Remove old copies that nobody wants or that a younger one stands for, and uploads that broke off here."""
        limit = self._clock() - max(older_than_s, SWEEPABLE_S)
        removed = 0
        for page in self._pages():
            # A younger copy on the next page keeps an old one for longer: that is all.
            outdated = {copy.name for copy, younger in pairwise(page) if copy.is_same_as(younger)}
            old = (copy for copy in page if copy.stored_time < limit)
            doomed = [copy.name for copy in old if copy.name in outdated or not wanted(copy.sha256)]
            if doomed:
                with _told():
                    obstore.delete(self._store, doomed)
            removed += len(doomed)
        return removed + self._forget_broken_off()

    def incoming(self) -> list[Path]:
        """Uploads under way here, and such as broke off."""
        return list(self._incoming.iterdir())

    def _fetch(self, copy: _Copy) -> Path:
        with _told():
            pieces = obstore.get(self._store, copy.name).stream(min_chunk_size=PIECE_BYTES)
            return self._cache.fill(copy.sha256, pieces)

    def _copies(self, sha256: str) -> list[_Copy]:
        """The youngest first."""
        with _told():
            listed = obstore.list(self._store, prefix=f"{sha256[:2]}/{sha256}").collect()
        return sorted((copy for one in listed if (copy := _read(one["path"], one["size"]))), reverse=True)

    def _pages(self) -> Iterator[list[_Copy]]:
        """All copies in the store, page by page; in each page those of a hash together, the oldest first."""
        with _told():
            for page in obstore.list(self._store, chunk_size=PAGE):
                yield sorted(copy for one in page if (copy := _read(one["path"], one["size"])))

    def _is_young(self, copy: _Copy) -> bool:
        return self._clock() - copy.stored_time < YOUNG_S

    def _new_name(self, sha256: str) -> str:
        return f"{sha256[:2]}/{sha256}/{int(self._clock()):012d}-{secrets.token_hex(8)}"

    def _forget_broken_off(self) -> int:
        stale = time.time() - STALE_UPLOAD_S
        removed = 0
        for path in self.incoming():
            with suppress(FileNotFoundError):  # an upload that ended meanwhile
                if path.stat().st_mtime < stale:
                    path.unlink()
                    removed += 1
        return removed


def _read(name: str, size_bytes: int) -> _Copy | None:
    """None for what is not ours: an operator may have put something beside it."""
    parts = name.split("/")
    if len(parts) != 3 or len(parts[1]) != SHA256_DIGITS:  # noqa: PLR2004 - as _new_name writes it
        return None
    stored_time = parts[2].partition("-")[0]
    return _Copy(parts[1], float(stored_time), name, size_bytes) if stored_time.isdigit() else None


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise ObjectStoreUnavailable from error
