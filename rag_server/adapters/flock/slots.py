"""Slots as file locks: held as long as their process lives, whatever kills it."""

import fcntl
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from rag_server.domain.health import WorkerState
from serving.errors import InUse

TAKE_TRIES = 20
TAKE_PAUSE_S = 0.05


class SlotTaken(InUse):
    """Another worker process holds this slot."""


class SlotLock:
    """The locks of one store folder's slots; `Workers` for those who only want to know."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "slots"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def take(self, slot: str) -> int:
        """Hold the slot until this process ends; returns the descriptor that holds it. Raises SlotTaken."""
        descriptor = os.open(self._path(slot), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(TAKE_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(TAKE_PAUSE_S)  # who asks whether a slot is held holds it for a moment, too
            else:
                self.tell(WorkerState(slot, os.getpid()))  # what the holder before has told is no longer true
                return descriptor
        os.close(descriptor)
        raise SlotTaken(f"another worker holds {slot} of {self._folder.parent}")

    def tell(self, state: WorkerState) -> None:
        """Let those who ask know how the slot's holder is; only the holder may tell."""
        path = self._folder / f"{state.slot}.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(state)), encoding="utf-8")
        draft.replace(path)

    def present(self) -> list[WorkerState]:
        return [self._told(path) for path in sorted(self._folder.glob("*.lock")) if self._held(path)]

    def _path(self, slot: str) -> Path:
        return self._folder / f"{slot}.lock"

    def _told(self, lock: Path) -> WorkerState:
        try:
            return WorkerState(**json.loads(lock.with_suffix(".json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # it has the lock since a moment ago, or is of another release
            return WorkerState(lock.stem)

    def _held(self, path: Path) -> bool:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
