"""What the launcher keeps in the data folder: its lock, its state for others to read, and the programs' logs."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cli.failure import Failure

ROTATE_BYTES = 10 * 1000 * 1000
TAIL_BYTES = 16_384


class RunFolder:
    """The folders `run` and `logs` of a data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.run = data / "run"
        self.logs = data / "logs"
        self._state = self.run / "launcher.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folders and keep every other launcher out. Raises Failure where one is at work."""
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)  # it will hold the texts of all documents
            self.run.mkdir(exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            lock = (self.run / "launcher.lock").open("a+")
        except OSError as error:
            raise Failure(f"the data folder {self.data} cannot be used: {error.strerror}") from error
        with lock:
            _lock(lock, self.data)
            try:
                yield
            finally:
                self._state.unlink(missing_ok=True)

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Replace launcher.json as a whole."""
        draft = self._state.with_suffix(".tmp")
        draft.write_text(json.dumps(state) + "\n")
        draft.replace(self._state)

    def log_path(self, name: str) -> Path:
        """Where a program's lines go."""
        return self.logs / f"{name}.jsonl"

    def open_log(self, name: str) -> IO[bytes]:
        """A program's log, to append to."""
        return self.log_path(name).open("ab")

    def rotate_log(self, name: str) -> None:
        """Put a log that has grown large aside; the one put aside before goes.

        The program may be writing: it appends, so it goes on at the start of the emptied file. A line that it writes in
        between is lost.
        """
        path = self.log_path(name)
        if path.exists() and path.stat().st_size > ROTATE_BYTES:
            shutil.copyfile(path, path.with_suffix(".jsonl.1"))
            os.truncate(path, 0)


def local_folder(variables: Mapping[str, str]) -> Path:
    """The folder of `acervo up` on this machine, where the store is a database elsewhere."""
    cache_home = variables.get("XDG_CACHE_HOME", "") or str(Path.home() / ".cache")
    return Path(cache_home, "acervo", "up").absolute()


def last_line(path: Path, begin: int) -> str:
    """The last line that was written after position `begin`, readable; empty if there is none."""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(begin if begin <= size else 0, size - TAIL_BYTES))
        lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return _readable(lines[-1]) if lines else ""


def _readable(line: str) -> str:
    try:
        fields = json.loads(line)
    except ValueError:
        return line.strip()
    if not isinstance(fields, dict):
        return line.strip()
    parts = (fields.get(key) for key in ("event", "error", "message", "reason"))
    return ": ".join(str(part) for part in parts if part) or line.strip()


def _lock(lock: IO[str], data: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        known = f" (process {holder})" if holder else ""
        raise Failure(f"another `acervo up`{known} runs on {data}: stop it first, or choose another --data") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
