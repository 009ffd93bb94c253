"""One program under the launcher: started, watched, started again, stopped."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli import leash
from cli.readiness import Readiness
from cli.run_folder import RunFolder, last_line
from cli.supervision import Death, GiveUp, History, Restart, after_death

STOP_S = 25.0
RENEW_S = 120.0  # indexes may have to be built anew
LEASH = (sys.executable, "-I", "-S", str(Path(leash.__file__)))


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how to tell that it serves."""

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]  # the whole environment
    readiness: Readiness
    awaited: bool = True  # whether the programs after it wait, for a while, until it is ready
    vital: bool = True  # whether all stops when it is given up although it was ready once


class Voice(Protocol):
    """Tells people what happens."""

    def changed(self) -> None:
        """A program has started or become ready."""

    def ready(self, name: str, pid: int, after_s: float) -> None:
        """A program serves."""

    def died(self, name: str, how: str, delay_s: float) -> None:
        """A program ended unasked and is started again after the delay."""

    def forced(self, name: str) -> None:
        """A program did not stop when asked and was killed."""


class Supervised:
    """Keeps one program running until it is to stop."""

    def __init__(self, program: Program, folder: RunFolder, voice: Voice) -> None:
        self.program = program
        self.starts = 0
        self.ready = asyncio.Event()
        self.refusal = ""  # why it was given up
        self.was_forced = False
        self.leaving = asyncio.Event()  # it is not to be started again
        self._renewed: asyncio.Event | None = None  # while it is to end and to be started again: when it has ended
        self._folder = folder
        self._voice = voice
        self._ended = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._history = History()
        self._ever_ready = False

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def keep(self, given_up: asyncio.Event) -> None:
        """Run the program again and again until it is leaving; sets `given_up` where nothing goes without it."""
        try:
            while not self.leaving.is_set():
                await self._run_once(given_up)
        finally:
            self._ended.set()

    async def renew(self, at_once: asyncio.Event) -> None:
        """Ask the program to end, and return when a new process of it is ready, or it was given up or is to stop."""
        if self.pid is not None:
            self._renewed = ended = asyncio.Event()
            self._signal(signal.SIGTERM)
            await first_of(ended, at_once, within_s=STOP_S)
            if not ended.is_set():
                self._voice.forced(self.program.name)
                self.kill()
                await ended.wait()
        await first_of(self.ready, self.leaving, within_s=RENEW_S)

    async def stop(self, at_once: asyncio.Event) -> None:
        """Ask the program to end, and kill it when it does not."""
        self.leaving.set()
        if not at_once.is_set():
            self._signal(signal.SIGTERM)
            await first_of(self._ended, at_once, within_s=STOP_S)
        if not self._ended.is_set():
            self.was_forced = True
            self._voice.forced(self.program.name)
            self.kill()
            await self._ended.wait()

    def kill(self) -> None:
        """End the program and all that it started, without asking."""
        if self.pid is not None:
            _kill_group(self.pid)

    async def _run_once(self, given_up: asyncio.Event) -> None:
        log_begin = self._log_size()
        begun_s = asyncio.get_running_loop().time()
        self._process = process = await self._start()
        if self.leaving.is_set():
            self._signal(signal.SIGTERM)
        probe = asyncio.create_task(self._probe(begun_s), name=f"probe {self.program.name}")
        status = await process.wait()
        probe.cancel()
        _kill_group(process.pid)  # children of its own that it left behind
        death = Death(status, asyncio.get_running_loop().time() - begun_s, self._ever_ready)
        self.ready.clear()
        if self._renewed is not None:
            self._renewed.set()
            self._renewed = None
        elif not self.leaving.is_set():
            await self._decide(death, log_begin, given_up)

    async def _start(self) -> asyncio.subprocess.Process:
        self.starts += 1
        with self._folder.open_log(self.program.name) as log:
            return await asyncio.create_subprocess_exec(
                *LEASH,
                str(os.getpid()),
                *self.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.program.variables),
                # Ctrl-C at the terminal is the launcher's to hear, and nobody else's. Sessions of their own would share
                # the processors alike, whatever priority a program gives itself (docs/decisions/0025-giving-way.md).
                process_group=0,
            )

    async def _probe(self, begun_s: float) -> None:
        self._voice.changed()
        await self.program.readiness()
        self._ever_ready = True
        self.ready.set()
        after_s = asyncio.get_running_loop().time() - begun_s
        if self._process is not None:
            self._voice.ready(self.program.name, self._process.pid, after_s)
        self._voice.changed()

    async def _decide(self, death: Death, log_begin: int, given_up: asyncio.Event) -> None:
        self._history, decision = after_death(self._history, death)
        said = last_line(self._folder.log_path(self.program.name), log_begin)
        match decision:
            case Restart(delay_s):
                how = f"{describe(death.status)}: {said}" if said and death.status > 0 else describe(death.status)
                self._voice.died(self.program.name, how, delay_s)
                await first_of(self.leaving, within_s=delay_s)
            case GiveUp():
                self.refusal = said or f"it ended with status {death.status} and said nothing"
                self.leaving.set()
                if self.program.vital or not self._ever_ready:
                    given_up.set()

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None and self._process is not None:
            self._process.send_signal(number)

    def _log_size(self) -> int:
        path = self._folder.log_path(self.program.name)
        return path.stat().st_size if path.exists() else 0


def _kill_group(leader_pid: int) -> None:
    # While any member lives, no other process gets the group's number; and it is not given anew within a moment.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader_pid, signal.SIGKILL)


def describe(status: int) -> str:
    """How a process ended, in words."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


async def first_of(*events: asyncio.Event, within_s: float) -> None:
    """Wait until one of the events is set, or the time is over."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
