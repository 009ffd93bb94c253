"""Several replicas on one machine, each with a gateway, a serve and a worker, on a real PostgreSQL and Redis.

Dead programs are started again, as an orchestrator does. No Envoy: callers go to the gateways themselves.
"""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.stack import LEASH, ROOT, clean_environment
from bench.waiting import until
from tests.servers.postgres import PostgresServer, running_postgres
from tests.servers.process import free_port, guarded, private_folder
from tests.servers.redis import RedisServer

MODULES = {"gateway": "gateway.serve", "serve": "rag_server.serve", "work": "rag_server.work"}
LOOK_S = 0.1
STOP_S = 40.0
START_S = 90.0


@dataclass(slots=True)
class Program:
    """One of a replica's programs: running, dead for a moment, or not wanted now."""

    name: str  # such as `work-2`
    module: str
    settings: Mapping[str, str]
    log: Path
    wanted: bool = True
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        """From the thread that lives as long as all of them."""
        with self.log.open("ab") as log:
            command = [*LEASH, str(os.getpid()), sys.executable, "-m", self.module]
            self.process = subprocess.Popen(command, cwd=ROOT, env=clean_environment(self.settings), stderr=log)

    def is_dead(self) -> bool:
        """Whether it ended, or was never started."""
        return self.process is None or self.process.poll() is not None


class Replicas:
    """The programs of all replicas, watched by a thread of their own."""

    def __init__(self, folder: Path, count: int, shared: Mapping[str, str]) -> None:
        self.gateways = [f"127.0.0.1:{free_port()}" for _ in range(count)]
        self.serves = [f"127.0.0.1:{free_port()}" for _ in range(count)]
        self.restarts = 0
        self.programs = {program.name: program for program in self._make(folder, shared)}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="replicas")

    def start(self) -> None:
        """Begin; does not wait."""
        self._thread.start()

    def stop(self) -> None:
        """Ask all to end, and kill what does not."""
        self._stopping.set()
        self._thread.join()

    def kill(self, name: str) -> None:
        """`kill -9`; an extractor is a child of its worker, where there is one."""
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            process = psutil.Process(self._pid(name.replace("extract", "work")))
            victims = process.children(recursive=True) if name.startswith("extract") else [process]
            for victim in victims:
                victim.kill()

    def want(self, name: str, *, wanted: bool) -> None:
        """Let a program run, or end it and let it rest."""
        program = self.programs[name]
        program.wanted = wanted
        if not wanted and not program.is_dead():
            assert program.process is not None  # noqa: S101 - it lives
            program.process.terminate()
            until(program.is_dead, STOP_S, f"the end of {name}")

    def _pid(self, name: str) -> int:
        process = self.programs[name].process
        return process.pid if process is not None else -1

    def _make(self, folder: Path, shared: Mapping[str, str]) -> Iterator[Program]:
        for number, (gateway, serve) in enumerate(zip(self.gateways, self.serves, strict=True), start=1):
            listen = {"ACERVO_GATEWAY_LISTEN": gateway, "ACERVO_RAG_LISTEN": serve, "ACERVO_RAG_SERVER": serve}
            own = {"ACERVO_REPLICA": str(number), "XDG_CACHE_HOME": str(folder / "cache")}
            for kind, module in MODULES.items():
                yield Program(f"{kind}-{number}", module, {**shared, **own, **listen}, folder / f"{kind}-{number}.log")

    def _watch(self) -> None:
        for_the_first_time = set(self.programs)
        while not self._stopping.wait(LOOK_S):
            for name, program in self.programs.items():
                if program.wanted and program.is_dead():
                    self.restarts += name not in for_the_first_time
                    for_the_first_time.discard(name)
                    program.start()
        processes = [program.process for program in self.programs.values() if program.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Postgres:
    """A server that can be stopped the hard way, and started again."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self.server = server
        self.database = database
        self._again = ExitStack()

    @property
    def url(self) -> str:
        """The address of the database."""
        return self.server.url(self.database)

    def ask(self, statement: str) -> list[list[str]]:
        """Rows of texts."""
        return [line.split("|") for line in self.server.execute(statement, self.database).splitlines()]

    def stop_immediately(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, all sessions broken."""
        file = self.server.folder / "data" / "postmaster.pid"
        pid = int(file.read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        until(lambda: not psutil.pid_exists(pid) or _is_zombie(pid), STOP_S, "the end of PostgreSQL")

    def start(self) -> None:
        """It recovers from its log."""
        command = shlex.split((self.server.folder / "data" / "postmaster.opts").read_text())
        folder = self._again.enter_context(private_folder("postgres-again"))
        log = self._again.enter_context(guarded(command, folder))
        status = self.server.folder / "data" / "postmaster.pid"
        try:
            until(lambda: status.exists() and "ready" in status.read_text(), START_S, "PostgreSQL again")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{log.read_text()[-2000:]}") from error

    def close(self) -> None:
        """End what was started again."""
        self._again.close()


@dataclass(frozen=True, slots=True)
class Deployment:
    """All of it."""

    replicas: Replicas
    postgres: Postgres
    redis: RedisServer


@contextmanager
def deployment(folder: Path, count: int, settings: Mapping[str, str] | None = None) -> Iterator[Deployment]:
    """A durable PostgreSQL, a Redis, a shared folder of files and the replicas, until the block ends."""
    with ExitStack() as stack:
        server = stack.enter_context(running_postgres(durable=True))
        postgres = Postgres(server, server.new_database())
        stack.callback(postgres.close)
        redis = RedisServer()
        redis.start()
        stack.callback(redis.stop)
        shared = {"ACERVO_STORE": postgres.url, "ACERVO_REDIS": redis.url, "ACERVO_BLOBS": str(folder / "blobs")}
        (folder / "blobs").mkdir()
        replicas = Replicas(folder, count, {**shared, **(settings or {})})
        replicas.start()
        stack.callback(replicas.stop)
        yield Deployment(replicas, postgres, redis)


def _is_zombie(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True
