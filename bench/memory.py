"""How much memory each process of a stack held at the most, sampled."""

import contextlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import psutil

SAMPLE_S = 0.05
FIND_EVERY = 10  # samples: new processes are looked for less often


class PeakMemory:
    """Samples resident memory for the length of a block."""

    def __init__(self, find: Callable[[], Iterable[psutil.Process]]) -> None:
        self._find = find
        self._peaks: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def peaks(self) -> dict[str, int]:
        """Bytes by the name of the program, the most of any process of that name."""
        return dict(self._peaks)

    def _sample(self) -> None:
        names: dict[psutil.Process, str] = {}
        turn = 0
        while not self._over.wait(SAMPLE_S):
            if turn % FIND_EVERY == 0:
                names = {process: name for process in self._find() if (name := _name(process))}
            turn += 1
            for process, name in names.items():
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._peaks[name] = max(self._peaks.get(name, 0), process.memory_info().rss)


def _name(process: psutil.Process) -> str:
    """`serve` for `python -m rag_server.serve`; empty where the process is gone."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        words = process.cmdline()
        if "-m" in words[:-1]:
            module = words[words.index("-m") + 1]
            return "launcher" if module == "cli" else module.replace("gateway.serve", "gateway").rpartition(".")[2]
        return Path(words[0]).name if words else ""
    return ""
