"""The launcher: one per folder, nothing left behind, and everything still there the next time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.client import Client
from bench.stack import ROOT, Stack, free_ports, running
from tests.system import documents

GONE_S = 20.0


def test_a_second_launcher_on_a_folder_is_refused(stack: Stack) -> None:
    command = [sys.executable, "-m", "cli", "up", "--data", str(stack.data), "--port-base", str(free_ports())]
    done = subprocess.run(command, check=False, cwd=ROOT, env=stack.environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "another `acervo up`" in done.stderr


def test_ports_that_are_taken_are_refused(stack: Stack, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli", "up", "--data", str(tmp_path / "data")]
    command += ["--port-base", str(stack.port_base)]
    done = subprocess.run(command, check=False, cwd=ROOT, env=stack.environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert str(stack.port_base) in done.stderr


# A terminal that is closed says so twice.
@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGHUP] * 2], ids=lambda n: n[0].name)
def test_after_a_signal_no_process_is_left_and_the_next_start_finds_everything(
    numbers: list[signal.Signals], tmp_path: Path
) -> None:
    word = documents.new_word()
    data = tmp_path / "data"
    stack = Stack(data)
    stack.start()
    with Client(stack.url) as client:
        client.take_in("ata.txt", documents.text(word), "default")
    processes = stack.processes()
    assert len(processes) >= 6
    for number in numbers:
        os.kill(stack.launcher_pid, number)
        time.sleep(0.2)  # or two of a kind are one
    _, alive = psutil.wait_procs(processes, timeout=GONE_S)
    assert alive == []
    assert stack.said().endswith("Stopped.\n")
    assert "killed" not in stack.said()
    stack.stop()
    with running(data) as again, Client(again.url) as client:
        assert len(client.passages_with(word, "default")) == 1


def test_a_launcher_that_is_killed_takes_its_programs_with_it(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    stack.start()
    processes = stack.processes()
    os.kill(stack.launcher_pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=GONE_S)
    stack.stop(expect_clean=False)
    assert alive == []
