"""What a snapshot consists of: every file with its length and SHA-256, and the hash of that list itself."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_server.index_ports import NAMED_BY_HASH
from storage.blobs import sync_folder

FORMAT = 3  # with the pages of passages, and the mark of the last change
MANIFEST = "MANIFEST.json"


class SnapshotDamaged(Exception):
    """A snapshot is not what was written, or is not of this model."""


@dataclass(frozen=True, slots=True)
class ModelOfVectors:
    """The model that made the vectors: with another one they mean nothing."""

    fingerprint: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot whose files were found to be whole, or one that is being written."""

    folder: Path
    sequence: int
    mark: str  # of the change with this sequence, which the store has if it is the same and was never set back


def seal(draft: Snapshot, model: ModelOfVectors, counts: Mapping[str, int], earlier: Path | None) -> None:
    """Force all files of the folder to the disk and write the manifest.

    What is linked from `earlier`, a snapshot of before, is not read again.
    """
    known = _known_files(earlier)
    files = {}
    for path in _files_of(draft.folder):
        name = str(path.relative_to(draft.folder))
        linked = earlier is not None and name in known and _same_file(path, earlier / name)
        files[name] = known[name] if linked else _sealed(path)
    manifest = {
        "format": FORMAT,
        "sequence": draft.sequence,
        "mark": draft.mark,
        "model": model.fingerprint,
        "dimensions": model.dimensions,
        "counts": dict(counts),
        "files": files,
    }
    write_durably(draft.folder / MANIFEST, _with_own_hash(manifest))
    for folder, _, _ in os.walk(draft.folder):
        sync_folder(Path(folder))


def verify(folder: Path, model: ModelOfVectors) -> Snapshot:
    """The snapshot in the folder, where it is whole and of this model. Raises SnapshotDamaged."""
    manifest = _read_manifest(folder)
    if manifest["format"] != FORMAT:
        raise SnapshotDamaged(f"format {manifest['format']} instead of {FORMAT}")
    if (manifest["model"], manifest["dimensions"]) != (model.fingerprint, model.dimensions):
        raise SnapshotDamaged("made with another model")
    there = {str(path.relative_to(folder)) for path in _files_of(folder)} - {MANIFEST}
    if there != manifest["files"].keys():
        raise SnapshotDamaged("files are missing, or there are others")
    for name, expected in manifest["files"].items():
        if _measured(folder / name) != expected:
            raise SnapshotDamaged(f"{name} is not as it was written")
    return Snapshot(folder, manifest["sequence"], manifest["mark"])


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        data = (folder / MANIFEST).read_bytes()
        manifest: dict[str, Any] = json.loads(data)
        manifest.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise SnapshotDamaged("no manifest that can be read") from error
    if _with_own_hash(manifest) != data:
        raise SnapshotDamaged("the manifest is not as it was written")
    return manifest


def _known_files(folder: Path | None) -> dict[str, Any]:
    if folder is None:
        return {}
    try:
        files: dict[str, Any] = _read_manifest(folder)["files"]
    except SnapshotDamaged:
        return {}
    return files


def _with_own_hash(manifest: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    return json.dumps({**manifest, "sha256": digest}, sort_keys=True).encode()


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def _same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def _sealed(path: Path) -> dict[str, Any]:
    """Force the file to the disk, then measure it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    if path.suffix == NAMED_BY_HASH:  # hundreds of megabytes, which were hashed when they came
        return {"size_bytes": path.stat().st_size, "sha256": path.stem}
    return _measured(path)


def _measured(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"size_bytes": file.tell(), "sha256": digest}


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and force it to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
