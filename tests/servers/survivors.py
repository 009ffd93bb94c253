"""Programs that tests have started, and that are still there: none may be when the tests are over.

Each process that runs tests puts a mark of its own into its environment, which its children inherit, and theirs; so
those are found as well whose parent has gone.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "STARTED_BY_TESTS"  # not ours by its name: a setting that is not known is refused
PATIENCE_S = 20.0  # what was told to end may take so long
_PAUSE_S = 0.05


def mark() -> str:
    """From now on this process marks what it starts; how."""
    value = f"{os.getpid()}-{time.time_ns()}"
    os.environ[MARK] = value
    return f"{MARK}={value}"


def survivors(marked: str, patience_s: float = PATIENCE_S) -> list[str]:
    """The commands of the programs with this mark, and of children of this process, that do not end in time."""
    deadline, pause = time.monotonic() + patience_s, threading.Event()
    while (found := _alive(marked)) and time.monotonic() < deadline:
        pause.wait(_PAUSE_S)
    return [f"{pid}: {_read(pid, 'cmdline').replace(chr(0), ' ')}" for pid in found]


def children_of(parent: int) -> list[int]:
    """Those that live."""
    return [pid for pid in _processes() if _parent(pid) == parent and is_running(pid)]


def is_running(pid: int) -> bool:
    """Whether the process is there, and is none that has ended and waits for its parent."""
    status = _status(pid)
    return bool(status) and status[0] != "Z"


def _alive(marked: str) -> list[int]:
    own = os.getpid()
    begun_here = set(children_of(own))
    return [
        pid
        for pid in _processes()
        if pid != own and is_running(pid) and (pid in begun_here or marked in _read(pid, "environ").split(chr(0)))
    ]


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _parent(pid: int) -> int:
    status = _status(pid)
    return int(status[1]) if status else 0


def _status(pid: int) -> list[str]:
    """State, parent, and more; nothing where the process is gone."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text("utf-8", "replace")
    except OSError:  # it is gone, or somebody else's
        return ""
