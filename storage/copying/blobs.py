"""Copies the files that rows refer to, each verified by its SHA-256."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.blobs import Blob, BlobFolder
from storage.copying.rows import Tell
from storage.object_blobs import ObjectBlobs

Blobs = BlobFolder | ObjectBlobs


@dataclass(slots=True)
class BlobsCopied:
    """What became of them."""

    copied: int = 0
    present: int = 0  # in the target already, and whole
    size_bytes: int = 0  # of those copied
    missing: list[str] = field(default_factory=list)  # their rows refer to what the source does not have, either
    faults: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs; the faults stand elsewhere."""
        counts = {"copied": self.copied, "present": self.present, "size_bytes": self.size_bytes}
        return {**counts, "missing": self.missing}


def copy_blobs(source: Blobs, target: Blobs, wanted: Sequence[str], tell: Tell) -> BlobsCopied:
    """Copy what is not there. Raises OSError, StorageUnavailable."""
    told = BlobsCopied()
    for number, sha256 in enumerate(wanted, start=1):
        path = source.path(sha256)
        if not path.exists():
            told.missing.append(sha256)
        else:
            _copy(path, sha256, target, told)
        tell("files", number, len(wanted))
    return told


def _copy(path: Path, sha256: str, target: Blobs, told: BlobsCopied) -> None:
    blob = Blob(sha256, path.stat().st_size)
    if target.has(blob):
        target.keep(sha256)
        told.present += 1
        if _hash(target.path(sha256)) != sha256:
            told.faults.append(f"file {sha256} is damaged in the target: remove it and copy again")
        return
    if _hash(path) != sha256:
        told.faults.append(f"file {sha256} is damaged in the source")
        return
    draft = target.draft()
    shutil.copyfile(path, draft)
    taken = target.take(draft)  # hashes what was written
    told.copied += 1
    told.size_bytes += taken.size_bytes
    if taken.sha256 != sha256:
        told.faults.append(f"file {sha256} was damaged on its way")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
