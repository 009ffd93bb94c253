"""A whole Acervo of its own, started as its users start it, for measuring and for system tests."""

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.waiting import until

ROOT = Path(__file__).parents[1]
PROGRAMS = ("extract", "work", "serve", "gateway", "envoy")
START_S = 60.0
STOP_S = 60.0
RESTART_S = 60.0
PORTS = 4
FIRST_PORT, LAST_PORT = 20_000, 32_000  # below what the kernel hands out by itself
# The launcher ends with whoever started it, and its children with it: nothing is left behind by a killed run.
LEASH = (sys.executable, "-I", "-S", str(ROOT / "cli" / "leash.py"))


def program_of(name: str) -> str:
    """The program that a replica of this name is one of: `serve` of `serve-2`."""
    program, _, number = name.rpartition("-")
    return program if number.isdecimal() else name


class Stack:
    """`acervo up` in a process of its own, on four free ports. To be started from a thread that outlives it.

    Where the settings name a database as the store, `data` is the folder of its own, and `options` say how many run.
    """

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> None:
        self.data = data
        self._where = ["--local" if "://" in (settings or {}).get("ACERVO_STORE", "") else "--data", str(data)]
        self._options = options
        self.port_base = free_ports()
        self.environment = clean_environment(settings or {})
        self.ready: dict[str, Any] = {}  # what the ready line said
        self._process: subprocess.Popen[str] | None = None

    @property
    def edge(self) -> str:
        """`host:port` of Envoy."""
        return f"127.0.0.1:{self.port_base}"

    @property
    def url(self) -> str:
        """Where REST is."""
        return f"http://{self.edge}"

    @property
    def rag_server(self) -> str:
        """`host:port` of serve."""
        return f"127.0.0.1:{self.port_base + 2}"

    @property
    def launcher_pid(self) -> int:
        """The process of `acervo up`."""
        if self._process is None:
            raise RuntimeError("the stack does not run")
        return self._process.pid

    def start(self) -> None:
        """Start everything and return when it serves."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [*LEASH, str(os.getpid()), sys.executable, "-m", "cli", "up", "--json"]
        command += [*self._where, "--port-base", str(self.port_base), *self._options]
        with self._voice().open("a") as voice:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=voice, text=True
            )
        try:
            self.ready = self._ready_line(self._process)
        except BaseException:
            self.stop(expect_clean=False)
            raise

    def stop(self, *, expect_clean: bool = True) -> None:
        """Ask for the end with SIGTERM. Raises RuntimeError where it is not a clean one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if expect_clean and status != 0:
            raise RuntimeError(f"`acervo up` ended with status {status}:\n{self.said()}")

    def said(self) -> str:
        """What the launcher told its terminal so far."""
        return self._voice().read_text() if self._voice().exists() else ""

    def state(self) -> dict[str, Any]:
        """launcher.json as it is now."""
        state: dict[str, Any] = json.loads((self.data / "run" / "launcher.json").read_text())
        return state

    def pid(self, program: str) -> int | None:
        """The process of a program, extract among them; None while there is none."""
        if program == "extract":
            return self._extractor_pid()
        pid: int | None = self._entry(program)["pid"]
        return pid

    def wait_for_pid(self, program: str) -> int:
        """The process of a program, as soon as there is one."""
        return until(lambda: self.pid(program), RESTART_S, f"a process of {program}")

    def kill(self, program: str) -> int:
        """`kill -9`; returns the process that was hit."""
        pid = self.wait_for_pid(program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_back(self, program: str, former_pid: int) -> None:
        """Return when another process than the former does the program's work. An extractor comes with its work."""
        if program == "extract":
            return

        def back() -> bool:
            programs = self.state()["programs"].values()
            return former_pid not in [entry["pid"] for entry in programs] and all(entry["ready"] for entry in programs)

        try:
            until(back, RESTART_S, f"{program} again")
        except TimeoutError as error:
            log = "".join(self.log(program).splitlines(keepends=True)[-10:])
            raise TimeoutError(f"{error}\n{self.said()}\n{log}") from error

    def processes(self) -> list[psutil.Process]:
        """The launcher and all below it."""
        launcher = psutil.Process(self.launcher_pid)
        return [launcher, *launcher.children(recursive=True)]

    def acervo(self, *arguments: str, deadline_s: float = 120.0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run an `acervo` command against this stack."""
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env=self.client_environment,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            **options,
        )

    @property
    def client_environment(self) -> dict[str, str]:
        """The variables for a client of this stack."""
        return {**clean_environment({}), "ACERVO_SERVER": self.edge}

    def verify(self) -> dict[str, Any]:
        """The answer of `acervo verify --json`."""
        done = self.acervo("verify", "--json")
        if not done.stdout.strip():
            raise RuntimeError(f"acervo verify said nothing on its output, but: {done.stderr.strip()}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def log(self, program: str) -> str:
        """What a program logged so far; all replicas of it, unless one is named."""
        paths = (self.data / "logs").glob(f"{program}*.jsonl")
        return "".join(
            path.read_text(errors="replace") for path in sorted(paths) if program in (path.stem, program_of(path.stem))
        )

    def pids(self, program: str) -> list[int]:
        """The processes of all replicas of a program."""
        programs = self.state()["programs"].items()
        pids = [entry["pid"] for name, entry in programs if program in (name, program_of(name))]
        return [pid for pid in pids if pid is not None]

    def _entry(self, program: str) -> dict[str, Any]:
        """What is told of a program; of several workers, of the one at work, and else of the first replica."""
        programs: dict[str, dict[str, Any]] = self.state()["programs"]
        if program in programs:
            return programs[program]
        busy = self._busy_worker(programs) if program == "work" else None
        return programs[busy or f"{program}-1"]

    def _busy_worker(self, names: Iterable[str]) -> str | None:
        """Who has begun a job and not ended it, as its log says."""
        for name in names:
            events = [line for line in self.log(name).splitlines() if '"job begins"' in line or '"job ends"' in line]
            if name.startswith("work-") and events and '"job begins"' in events[-1]:
                return name
        return None

    def _extractor_pid(self) -> int | None:
        work = self.pid("work")
        if work is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(work).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "rag_server.extract" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                        return child.pid
        return None

    def _voice(self) -> Path:
        return self.data.with_name(f"{self.data.name}.launcher.txt")

    def _ready_line(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        readable, _, _ = select.select([process.stdout], [], [], START_S)
        line = process.stdout.readline() if readable else ""
        if not line:
            raise RuntimeError(f"`acervo up` did not become ready:\n{self.said()}")
        ready: dict[str, Any] = json.loads(line)
        return ready


@contextmanager
def running(data: Path, settings: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> Iterator[Stack]:
    """A stack for the length of a block; its end must be a clean one unless the block failed already."""
    stack = Stack(data, settings, options)
    stack.start()
    try:
        yield stack
    except BaseException:
        stack.stop(expect_clean=False)
        raise
    stack.stop()


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process of ours: nothing of Acervo's but what is given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")}
    path = os.pathsep.join((str(ROOT), str(ROOT / "generated")))
    small_disk = {"ACERVO_MIN_FREE_BYTES": str(64 << 20)}
    return {**inherited, "PYTHONPATH": path, **small_disk, **settings}


def free_ports() -> int:
    """The first of four consecutive ports that were free a moment ago."""
    while True:
        base = random.randrange(FIRST_PORT, LAST_PORT)  # noqa: S311 - nothing to guard
        if all(_is_free(base + offset) for offset in range(PORTS)):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
