"""Slots as file locks: held as long as their process lives, whatever kills it."""

import fcntl
import os
import time
from pathlib import Path

from serving.errors import Unusable

TAKE_TRIES = 20
TAKE_PAUSE_S = 0.05


class SlotTaken(Unusable):
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
                return descriptor
        os.close(descriptor)
        raise SlotTaken(f"another worker holds {slot} of {self._folder.parent}")

    def alive(self) -> bool:
        """Whether any slot is held."""
        return any(self._held(path) for path in self._folder.glob("*.lock"))

    def _path(self, slot: str) -> Path:
        return self._folder / f"{slot}.lock"

    def _held(self, path: Path) -> bool:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
