"""What outlives the tests is found, whoever its parent is by now."""

import os
import subprocess
import sys

from tests.servers.survivors import MARK, children_of, is_running, survivors

ORPHAN = """
import subprocess, sys
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen([sys.executable, "-c", "input()"], stdin=0, **quiet).pid, flush=True)
"""


def test_an_orphan_is_found_and_missed_once_it_is_gone() -> None:
    marked = f"{MARK}={os.environ[MARK]}"
    reader, writer = os.pipe()
    parent = subprocess.run([sys.executable, "-c", ORPHAN], stdin=reader, capture_output=True, check=True, timeout=60)
    os.close(reader)
    pid = int(parent.stdout)
    assert pid not in children_of(os.getpid())
    assert any(line.startswith(f"{pid}: ") for line in survivors(marked, patience_s=0.2))
    os.close(writer)
    assert not any(line.startswith(f"{pid}: ") for line in survivors(marked, patience_s=20.0))
    assert not is_running(pid)


def test_a_child_without_the_mark_is_found_too() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={}) as child:
        assert child.pid in children_of(os.getpid())
        assert any(line.startswith(f"{child.pid}: ") for line in survivors("nobody", patience_s=0.2))
