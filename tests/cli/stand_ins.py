"""Tiny programs in the place of Acervo's, and a launcher for them in a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.launcher import Launcher
from cli.readiness import Readiness
from cli.run_folder import RunFolder
from cli.supervised import Program

# Writes its pid when it runs and a last word when it is asked to stop.
WORKER = """
import os, pathlib, signal, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def stop(*_):
    with (folder / "stops").open("a") as stops:
        stops.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
(folder / "new").write_text(str(os.getpid()))
(folder / "new").rename(folder / name)
with (folder / "starts").open("a") as starts:
    starts.write(name + "\\n")
while True:
    signal.pause()
"""
# The same, deaf to SIGTERM.
DEAF = WORKER.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
# The same, with a child that would outlive it.
PARENT = WORKER.replace(
    "while True:",
    """import subprocess
(folder / (name + "-child")).write_text(str(subprocess.Popen(["sleep", "600"]).pid))
while True:""",
)


class Silent:
    """A voice that keeps what it would say."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def changed(self) -> None:
        """Nothing to keep."""

    def ready(self, name: str, pid: int, after_s: float) -> None:  # noqa: ARG002 - the port's signature
        self.said.append(f"{name} ready")

    def died(self, name: str, how: str, delay_s: float) -> None:
        self.said.append(f"{name} died: {how}, {delay_s}")

    def forced(self, name: str) -> None:
        self.said.append(f"{name} forced")


def file_there(path: Path) -> Readiness:
    """Ready once the file is there."""

    async def wait() -> None:
        while not path.exists():
            await asyncio.sleep(0.01)

    return wait


def stand_in(folder: Path, name: str, code: str = WORKER) -> Program:
    """A program that is ready when it has written its pid to a file of its name."""
    command = (sys.executable, "-I", "-S", "-c", code, str(folder), name)
    return Program(name, command, dict(os.environ), file_there(folder / name))


async def launch(folder: Path, names: Sequence[str]) -> None:
    """A launcher that runs until SIGTERM."""
    launcher = Launcher([stand_in(folder, name) for name in names], RunFolder(folder), Silent())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, launcher.stopping.set)
    await launcher.run()


if __name__ == "__main__":
    data = Path(sys.argv[1])
    with RunFolder(data).locked():
        asyncio.run(launch(data, sys.argv[2:]))
