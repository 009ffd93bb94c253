"""What a confined process can no longer do, tried from inside one."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
ATTEMPTS = """
import ctypes, json, os, socket, subprocess, sys
from rag_server.adapters.linux.confinement import confine, limit_cpu

open_before = open(sys.argv[1], "rb")
level = confine(1 << 30, os.getppid())

def said(attempt):
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"

libc = ctypes.CDLL(None, use_errno=True)

def raw(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

print(json.dumps({
    "level": level,
    "read what was open before": said(open_before.read),
    "read a file": said(lambda: open(sys.argv[1]).read()),
    "list a folder": said(lambda: os.listdir(os.path.dirname(sys.argv[1]))),
    "write a file": said(lambda: open(sys.argv[1], "w")),
    "make a file": said(lambda: open(sys.argv[1] + ".new", "x")),
    "remove a file": said(lambda: os.unlink(sys.argv[1])),
    "make a folder": said(lambda: os.mkdir(sys.argv[1] + ".folder")),
    "change rights": said(lambda: os.chmod(sys.argv[1], 0o777)),
    "open a socket": said(lambda: socket.socket()),
    "start a program": said(lambda: subprocess.run(["/bin/true"])),
    "fork": said(os.fork),
    "signal the parent": said(lambda: os.kill(os.getppid(), 0)),
    "signal another by thread": said(lambda: raw(234 if os.uname().machine == "x86_64" else 131, 1, 1, 0)),
    "import a library": said(lambda: __import__("lxml.etree")),
}))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    secret = tmp_path_factory.mktemp("data") / "secret"
    secret.write_text("secret", encoding="utf-8")
    command = [sys.executable, "-B", "-c", ATTEMPTS, str(secret)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert secret.read_text(encoding="utf-8") == "secret"
    answers: dict[str, str] = json.loads(done.stdout)
    return answers


def test_what_reading_needs_still_works(said: dict[str, str]) -> None:
    assert said["read what was open before"] == "done"
    assert said["import a library"] == "done"


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="no list of system calls")
@pytest.mark.parametrize(
    "attempt",
    [
        "write a file",
        "make a file",
        "remove a file",
        "make a folder",
        "change rights",
        "open a socket",
        "start a program",
        "fork",
        "signal the parent",
        "signal another by thread",
    ],
)
def test_what_harms_is_refused(said: dict[str, str], attempt: str) -> None:
    assert "seccomp" in said["level"]
    assert said[attempt] == "PermissionError"


@pytest.mark.parametrize("attempt", ["read a file", "list a folder"])
def test_other_files_are_out_of_sight_where_the_kernel_can_hide_them(said: dict[str, str], attempt: str) -> None:
    if "landlock" not in said["level"]:
        pytest.skip("this kernel has no Landlock")
    assert said[attempt] == "PermissionError"


def test_cpu_time_runs_out() -> None:
    program = (
        "import os, rag_server.adapters.linux.confinement as c\n"
        "c._CPU_SLACK_S = 0\n"
        "c.confine(1 << 30, os.getppid())\n"
        "c.limit_cpu(0.1)\n"
        "while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -24  # SIGXCPU


def test_a_process_whose_parent_is_another_does_not_start() -> None:
    program = "import rag_server.adapters.linux.confinement as c; c.confine(1 << 30, 1)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=60).returncode == 1


def test_a_program_to_become_may_be_that_one_only() -> None:
    program = (
        "import os, socket\n"
        "from pathlib import Path\n"
        "from rag_server.adapters.linux.confinement import Program, confine\n"
        "print(confine(1 << 30, os.getppid(), Program(Path('/bin/echo').resolve())), flush=True)\n"
        "for attempt in (lambda: os.execv('/bin/ls', ['ls', '/']), socket.socket, lambda: open('/etc/passwd')):\n"
        "    try:\n"
        "        attempt()\n"
        "    except PermissionError:\n"
        "        print('refused', flush=True)\n"
        "os.execv('/bin/echo', ['echo', 'became'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    level, *said = done.stdout.split()
    if "landlock" not in level:
        pytest.skip("this kernel has no Landlock")
    assert said == ["refused"] * 3 + ["became"]
