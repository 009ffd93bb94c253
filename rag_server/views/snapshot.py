"""Snapshots of the views: whole or not there at all, and never loaded unless every byte is as it was written.

A snapshot is written beside its place, its manifest last, and renamed; CURRENT names the newest. Two are kept.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from rag_server.ports import ChangeLog
from rag_server.views.manifest import (
    ModelOfVectors,
    Snapshot,
    SnapshotDamaged,
    seal,
    verify,
    write_durably,
)
from serving import logs
from serving.errors import InUse
from serving.failpoint import failpoint
from storage.blobs import sync_folder

CURRENT = "CURRENT"
KEPT = 2
_PREFIX = "snap-"
_UNFINISHED = ".tmp-"

_log = logs.get(__name__)


class ViewsInUse(InUse):
    """Another server uses this folder of views."""


class Snapshots:
    """The folder of snapshots of one server, which alone may use it."""

    def __init__(self, folder: Path, model: ModelOfVectors) -> None:
        self._folder = folder
        self._model = model
        self._lock: int | None = None

    def open(self) -> None:
        """Take the folder for this process and clear what a dead one left unfinished. Raises ViewsInUse."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._folder / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise ViewsInUse(f"another server uses {self._folder}") from error
        self._lock = lock
        for unfinished in self._folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished)

    def close(self) -> None:
        """Let another process have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def whole(self, log: ChangeLog) -> Iterator[Snapshot]:
        """Those that can be loaded, CURRENT first, then from new to old. Damaged ones are told of and removed.

        One whose last change the log does not have, or has another in its place, is of another history.
        """
        for folder in self._newest_first():
            try:
                snapshot = _of_this_history(verify(folder, self._model), log)
            except SnapshotDamaged as damage:
                _log.warning("snapshot_refused", snapshot=folder.name, why=str(damage))
                shutil.rmtree(folder)
            else:
                yield snapshot

    def begin(self, sequence: int, mark: str) -> Snapshot:
        """A folder to write a snapshot into."""
        folder = self._folder / f"{_UNFINISHED}{sequence}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return Snapshot(folder, sequence, mark)

    def finish(self, draft: Snapshot, counts: Mapping[str, int]) -> Snapshot:
        """Make it durable, then the current one; drop those that are too old."""
        failpoint("snapshot.before_manifest")
        seal(draft, self._model, counts, self._newest())
        place = self._folder / f"{_PREFIX}{draft.sequence:016d}"
        failpoint("snapshot.before_rename")
        if place.exists():  # the same state, written before: it was current, or it could not be loaded
            shutil.rmtree(place)
        draft.folder.rename(place)
        sync_folder(self._folder)
        failpoint("snapshot.before_current")
        self._point_at(place)
        failpoint("snapshot.before_prune")
        for old in self._newest_first()[KEPT:]:
            shutil.rmtree(old)
        return replace(draft, folder=place)

    def drop(self, draft: Snapshot) -> None:
        """Give up one that is being written."""
        shutil.rmtree(draft.folder, ignore_errors=True)

    def _newest(self) -> Path | None:
        return next(iter(self._newest_first()), None)

    def _newest_first(self) -> list[Path]:
        folders = sorted(self._folder.glob(f"{_PREFIX}*"), reverse=True)
        try:
            current = (self._folder / CURRENT).read_text("utf-8").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return folders
        return sorted(folders, key=lambda folder: folder.name != current)

    def _point_at(self, place: Path) -> None:
        new = self._folder / f"{CURRENT}.new"
        write_durably(new, place.name.encode())
        new.rename(self._folder / CURRENT)
        sync_folder(self._folder)


def _of_this_history(snapshot: Snapshot, log: ChangeLog) -> Snapshot:
    """A store that was restored from a backup has the sequences of before, and goes on with other changes."""
    change = next(iter(log.changes(snapshot.sequence - 1, 1)), None)
    if change is None:
        raise SnapshotDamaged(f"sequence {snapshot.sequence} is beyond the store's {log.last_sequence()}")
    if change.mark != snapshot.mark:
        raise SnapshotDamaged(f"change {snapshot.sequence} is another one in the store")
    return snapshot
