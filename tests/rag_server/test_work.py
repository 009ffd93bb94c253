"""The working program as a process: what it tells of its sandbox, and when it refuses to run."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rag_server.adapters.flock.slots import SlotLock
from rag_server.domain.isolation import SANDBOX, missing_layers
from serving.errors import Unusable
from tests.fakes import older_kernel

ROOT = Path(__file__).parents[2]
ENOUGH_S = 60.0
WORK = (sys.executable, "-m", "rag_server.work")


def under_a_kernel_without(layer: str) -> tuple[str, ...]:
    return (sys.executable, str(older_kernel.__file__), layer, *WORK)


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")}
    return {**inherited, "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}", "ACERVO_STORE": str(folder), **settings}


@contextmanager
def working(folder: Path, command: tuple[str, ...], **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """The program, until the end of the block; it must then end well."""
    process = subprocess.Popen(
        command, env=environment(folder, settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENOUGH_S) == 0
    finally:
        process.kill()
        process.communicate()


def told(folder: Path, process: "subprocess.Popen[str]") -> str:
    """The isolation that the worker tells of, once it knows."""
    slots = SlotLock(folder)
    deadline_s = time.monotonic() + ENOUGH_S
    while not (levels := [worker.isolation for worker in slots.present() if worker.isolation]):
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.02)
    return levels[0]


def test_the_isolation_is_told_before_any_document_comes(tmp_path: Path) -> None:
    with working(tmp_path, WORK) as process:
        level = told(tmp_path, process)
        (worker,) = SlotLock(tmp_path).present()
        assert (worker.slot, worker.pid) == ("slot-1", process.pid)
    assert level.startswith("rlimits")
    assert SlotLock(tmp_path).present() == []


@pytest.mark.parametrize("layer", SANDBOX)
def test_without_a_layer_it_works_and_says_so(tmp_path: Path, layer: str) -> None:
    with working(tmp_path, under_a_kernel_without(layer)) as process:
        assert layer in missing_layers(told(tmp_path, process))


@pytest.mark.parametrize("layer", SANDBOX)
def test_where_a_sandbox_is_required_it_refuses_to_run_without_it(tmp_path: Path, layer: str) -> None:
    settings = environment(tmp_path, {"ACERVO_REQUIRE_SANDBOX": "true"})
    command = under_a_kernel_without(layer)
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=ENOUGH_S, check=False)
    assert done.returncode == Unusable.exit_status
    assert (layer in done.stderr, done.stderr.count("\n")) == (True, 1)
    assert "ACERVO_REQUIRE_SANDBOX" in done.stderr


def test_where_the_kernel_has_it_all_the_required_sandbox_is_there(tmp_path: Path) -> None:
    with working(tmp_path, WORK) as process:
        missing = missing_layers(told(tmp_path, process))
    if missing:
        pytest.skip(f"this kernel has no {' and no '.join(missing)}")
    with working(tmp_path, WORK, ACERVO_REQUIRE_SANDBOX="true") as process:
        assert missing_layers(told(tmp_path, process)) == []


def test_a_sandbox_is_required_or_not_and_nothing_between(tmp_path: Path) -> None:
    settings = environment(tmp_path, {"ACERVO_REQUIRE_SANDBOX": "maybe"})
    done = subprocess.run(WORK, env=settings, capture_output=True, text=True, timeout=ENOUGH_S, check=False)
    assert done.returncode == Unusable.exit_status
    assert done.stderr == "acervo work: ACERVO_REQUIRE_SANDBOX must be one of true, false, not 'maybe'\n"


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_the_log_tells_the_isolation_once(tmp_path: Path) -> None:
    with working(tmp_path, WORK) as process:
        level = told(tmp_path, process)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=ENOUGH_S)
    assert [line["isolation"] for line in lines_of(out) if "isolation" in line] == [level]
