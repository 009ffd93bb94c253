"""MANIFEST.json: what a model folder holds, written when it was made and checked when it is opened."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "MANIFEST.json"


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What one file must be."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a model folder by relative path. `fastembed_name` is empty where fastembed has none for it."""

    fastembed_name: str
    dimensions: int
    licence: str
    files: Mapping[str, FileDigest]


def read_manifest(folder: Path) -> Manifest | None:
    """The folder's manifest, None where it has none."""
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    content = json.loads(path.read_text("utf-8"))
    files = {name: FileDigest(file["sha256"], file["size_bytes"]) for name, file in content["files"].items()}
    return Manifest(content["fastembed_name"], content["dimensions"], content["licence"], files)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it last: a folder that has one is whole."""
    (folder / FILE_NAME).write_text(json.dumps(asdict(manifest), indent=2) + "\n", "utf-8")


def digest_of(path: Path) -> FileDigest:
    """The digest of a file as it is now."""
    with path.open("rb") as file:
        return FileDigest(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)
