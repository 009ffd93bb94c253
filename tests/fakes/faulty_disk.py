"""A disk that fails when told to: SQLite's own files, over the real file system."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


class FaultyDisk(apsw.VFS):
    """Becomes SQLite's default file system. A failed sync leaves the bytes written, a failed write does not."""

    def __init__(self) -> None:
        self.syncs_to_fail = 0
        self.writes_to_fail = 0
        self.failures = 0
        super().__init__("faulty", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _FaultyFile(self, name, flags)

    def fail(self, what: str) -> None:
        self.failures += 1
        raise apsw.IOError(f"the disk failed to {what}")


class _FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        if self._disk.syncs_to_fail:
            self._disk.syncs_to_fail -= 1
            self._disk.fail("sync")

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.writes_to_fail:
            self._disk.writes_to_fail -= 1
            self._disk.fail("write")
        super().xWrite(data, offset)


@contextmanager
def faulty_disk() -> Iterator[FaultyDisk]:
    """Databases that are opened inside lie on the faulty disk, and must be closed inside."""
    disk = FaultyDisk()
    try:
        yield disk
    finally:
        disk.unregister()
