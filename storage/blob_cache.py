"""Bytes of a distant blob store, kept near: a folder that holds no more than it may, the latest used."""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

STALE_S = 3_600.0


class BlobDamaged(Exception):
    """The bytes that came are not those that the hash names."""


class BlobCache:
    """Belongs to one process, whose threads may share it. What it hands out stays until another is asked for."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._evicting = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._forget_broken_off()

    def path(self, sha256: str) -> Path:
        """Where the bytes are, or would be."""
        return self._folder / sha256

    def find(self, sha256: str) -> Path | None:
        """The file, which counts as used now; None where it is not here."""
        path = self.path(sha256)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def fill(self, sha256: str, pieces: Iterable[bytes]) -> Path:
        """Keep the bytes, if they are what the hash names. Raises BlobDamaged, OSError."""
        written = self._folder / f"{secrets.token_hex(16)}.part"
        digest = hashlib.sha256()
        try:
            with written.open("xb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != sha256:
                raise BlobDamaged(sha256)
            path = written.rename(self.path(sha256))
        finally:
            written.unlink(missing_ok=True)
        self._evict(path)
        return path

    def _evict(self, newest: Path) -> None:
        """Remove what was not used for the longest time, until the rest fits; never what was just asked for."""
        with self._evicting:
            files = sorted((found.stat().st_mtime, found) for found in self._folder.iterdir() if not found.suffix)
            sizes = {path: path.stat().st_size for _, path in files}
            excess_bytes = sum(sizes.values()) - self._max_bytes
            for _, path in files:
                if excess_bytes <= 0:
                    return
                if path != newest:
                    path.unlink()
                    excess_bytes -= sizes[path]

    def _forget_broken_off(self) -> None:
        for part in self._folder.glob("*.part"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < time.time() - STALE_S:
                    part.unlink()
