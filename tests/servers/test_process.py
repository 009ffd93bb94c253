"""What tests start ends with them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PROGRAM = """
import sys, threading
from tests.servers.postgres import running_postgres
with running_postgres() as server:
    print(server.folder, (server.folder / "data" / "postmaster.pid").read_text().split()[0], flush=True)
    threading.Event().wait()
"""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A process that has ended may wait for its parent, which need not look at once.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_server_and_its_folder_go_with_tests_that_are_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as tests:
        assert tests.stdout is not None
        folder, pid = tests.stdout.readline().split()
        assert _alive(int(pid))
        tests.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while (_alive(int(pid)) or Path(folder).exists()) and time.monotonic() < deadline:
        pause.wait(0.05)
    assert not _alive(int(pid))
    assert not Path(folder).exists()
