"""What a process gives up before it touches bytes that may be hostile."""

import ctypes
import math
import mimetypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag_server.adapters.linux.landlock import restrict_files
from rag_server.adapters.linux.seccomp import restrict_system_calls

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_NICENESS = 10
_SESSION_PRIORITY = Path("/proc/self/autogroup")
_OPEN_FILES = 64
# The kernel starts these to start a program.
_LOADERS = (Path("/lib64/ld-linux-x86-64.so.2"), Path("/lib/ld-linux-aarch64.so.1"))
# CPU seconds beside the wall clock's: the parent's watchdog strikes first, this is for when there is none.
_CPU_SLACK_S = 5


@dataclass(frozen=True, slots=True)
class Program:
    """A program to become, with the folders that it reads."""

    path: Path
    data: Sequence[Path] = ()


def confine(memory_bytes: int, parent_pid: int, program: Program | None = None) -> str:
    """Bind this process's life to its parent's and take away what reading does not need.

    With `program` it may become that, which then is as confined as it is now.
    Returns the level of isolation reached, for the operator: the layers joined by "+".
    """
    die_with(parent_pid)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    os.umask(0o077)
    _give_way()
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, memory_bytes * 7 // 8),  # the kernel counts more than it limits,
    ):
        resource.setrlimit(limit, (value, value))
    # The types of files that this machine knows are read when a library first asks; ask while it may be read.
    mimetypes.init([])
    if program is None:
        landlock = restrict_files(_readable())
    else:
        landlock = restrict_files([*_readable(), *program.data], [program.path, *_LOADERS])
    seccomp = restrict_system_calls(may_execute=program is not None)
    return "+".join(["rlimits", *(["seccomp"] if seccomp else []), *([f"landlock{landlock}"] if landlock else [])])


def _give_way() -> None:
    """Lower this process's priority, and that of the session if it leads one.

    Where the kernel groups sessions, the one counts within a session only, the other between sessions.
    """
    os.nice(_NICENESS)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # a kernel that does not group them
            _SESSION_PRIORITY.write_text(str(_NICENESS), "ascii")


def limit_cpu(seconds: float) -> None:
    """Let this process use so much more CPU time; beyond it the kernel ends it with SIGXCPU."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + _CPU_SLACK_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))


def _readable() -> list[Path]:
    """What Python needs to load a library later, and nothing with data in it."""
    own = Path(__file__).parents[2]  # the package, not the folder around it: that may hold data
    system = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")
    devices = ("/dev/null", "/dev/zero", "/dev/urandom")
    return [own, Path(sys.prefix), Path(sys.base_prefix), *map(Path, system + devices)]


def die_with(parent_pid: int) -> None:
    """Have the kernel end this process with its parent, even where it is stopped."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the line above
        sys.exit(1)


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
