"""What the tests of the command share: a running server and a way to call `acervo`."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.fake_acervo import FakeAcervo, start_server

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def acervo() -> FakeAcervo:
    return FakeAcervo()


@pytest.fixture
def server(acervo: FakeAcervo) -> Iterator[str]:
    running, port = start_server(acervo)
    yield f"127.0.0.1:{port}"
    acervo.running.set()
    running.stop(None).wait()


@pytest.fixture
def call(server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Runs `acervo` in this process against the server."""
    monkeypatch.setenv("ACERVO_SERVER", server)

    def run(*arguments: str, stdin: bytes | None = None) -> Run:
        result = CliRunner().invoke(app, arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    return run


def spawn(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """`acervo` as a process of its own."""
    path = f"{ROOT}{os.pathsep}{ROOT / 'generated'}"
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        env={**os.environ, "PYTHONPATH": path, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
    """Wait on a condition with a deadline."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {within_s} s: {what}"
        threading.Event().wait(0.01)
