"""The extractor as if a document had taken it over: a plain text is an order, and the page says what came of it.

All else is the real program: started, confined and spoken to as ever. Were an order not refused, it would do no lasting
harm: what it asks for is either nothing new or impossible for another reason, which the page would tell.
"""

# The calls themselves are meant, and the process soon ends.
# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH120, PTH123, PTH208, PTH211, S103, S108, S606, SIM115

import ctypes
import fcntl
import mmap
import os
import platform
import resource
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

from rag_server import extract
from rag_server.adapters.extractor_process.frames import LENGTH, encode
from rag_server.adapters.parsing import media_types, readers
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.domain.extraction import Page

X86 = platform.machine() == "x86_64"
LIBRARY = ctypes.CDLL(None, use_errno=True)
AT_CWD = -100
CHANNEL = 0  # the socket to the parent
START = {"kind": "start", "media_type": "text/plain", "pages_total": 0, "properties": {}}


def raw(on_x86: int, on_arm: int, *arguments: object) -> None:
    """A system call by its number."""
    if LIBRARY.syscall(on_x86 if X86 else on_arm, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def read_hostile(source: Source, _budget: Budget) -> Reading:
    """`name argument` is looked up among the orders; what it returns is the text of the page."""
    name, _, argument = source.contents().decode().partition(" ")
    if name in ATTACKS:
        ATTACKS[name]()
    document = source.file.fileno()
    return Reading(iter([Page(1, attempt(lambda: ORDERS[name](argument, document)))]), 1)


def attempt(order: Callable[[], object]) -> str:
    """The result as text, or the name of the error."""
    try:
        result = order()
    except (OSError, MemoryError, subprocess.SubprocessError) as error:
        return type(error).__name__
    return "done" if result is None else f"done: {result}"


def write_to(path: str, flags: int) -> None:
    os.close(os.open(path, flags, 0o600))


def own_parent() -> int:
    return os.getppid()


Order = Callable[[str, int], object]
FILES: Mapping[str, Order] = {
    "read": lambda path, _: open(path, encoding="utf-8").read(),
    "list": lambda path, _: os.listdir(path),
    "write": lambda path, _: write_to(path, os.O_WRONLY),
    "read-and-write": lambda path, _: write_to(path, os.O_RDWR),
    "append": lambda path, _: write_to(path, os.O_WRONLY | os.O_APPEND),
    "cut": lambda path, _: write_to(path, os.O_RDONLY | os.O_TRUNC),
    "truncate": lambda path, _: os.truncate(path, 0),
    "create": lambda path, _: write_to(path + ".new", os.O_WRONLY | os.O_CREAT),
    "nameless": lambda path, _: write_to(os.path.dirname(path), os.O_RDWR | os.O_TMPFILE),
    "remove": lambda path, _: os.unlink(path),
    "rename": lambda path, _: os.rename(path, path + ".new"),
    "link": lambda path, _: os.link(path, path + ".new"),
    "symlink": lambda path, _: os.symlink(path, path + ".new"),
    "folder": lambda path, _: os.mkdir(path + ".new"),
    "rights": lambda path, _: os.chmod(path, 0o777),
    "rights-anew": lambda path, _: raw(452, 452, AT_CWD, path.encode(), 0o777, 0),  # fchmodat2
    "owner": lambda path, _: os.chown(path, 0, 0),
    "times": lambda path, _: os.utime(path, (0, 0)),
    "attribute": lambda path, _: os.setxattr(path, "user.mark", b"x"),
    "write-here": lambda _path, _: write_to("x", os.O_WRONLY | os.O_CREAT),
    "write-temporary": lambda _path, _: tempfile.TemporaryFile(),
    "write-shared": lambda _path, _: write_to("/dev/shm", os.O_RDWR | os.O_TMPFILE),
    "memory-file": lambda _path, _: os.memfd_create("x"),
    "document-write": lambda _path, document: write_to(f"/proc/self/fd/{document}", os.O_RDWR),
    "document-cut": lambda _path, document: os.ftruncate(document, 0),
    "document-rights": lambda _path, document: os.fchmod(document, 0o777),
    "document-map": lambda _path, document: mmap.mmap(document, 1, access=mmap.ACCESS_WRITE),
    "enough-files": lambda _path, _: [open(sys.executable, "rb") for _ in range(100)],
}
OTHERS: Mapping[str, Order] = {
    "internet": lambda *_: socket.socket(socket.AF_INET),
    "internet-6": lambda *_: socket.socket(socket.AF_INET6),
    "local-socket": lambda *_: socket.socket(socket.AF_UNIX),
    "kernel-socket": lambda *_: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "pair": lambda *_: socket.socketpair(),
    "name-look-up": lambda *_: socket.getaddrinfo("example.com", 80),
    "fork": lambda *_: os.fork() or os._exit(0),
    "clone": lambda *_: raw(56, 220, 0x10000000 | 0x200, 0, 0, 0, 0),
    "exec": lambda *_: os.execv("/bin/true", ["true"]),
    "spawn": lambda *_: os.posix_spawn("/bin/true", ["true"], {}),
    "shell": lambda *_: subprocess.run("true", shell=True, check=True),  # noqa: S602 - an attack
    "kill": lambda *_: os.kill(own_parent(), 0),
    "kill-group": lambda *_: os.killpg(os.getpgid(own_parent()), 0),
    "kill-thread": lambda *_: raw(234, 131, own_parent(), own_parent(), 0),  # tgkill
    "kill-by-handle": lambda *_: os.pidfd_open(own_parent()),
    "kill-by-owner": lambda *_: fcntl.fcntl(CHANNEL, fcntl.F_SETOWN, own_parent()),
    "kill-by-signal": lambda *_: fcntl.fcntl(CHANNEL, 10, 9),  # F_SETSIG
    "kill-by-limit": lambda *_: resource.prlimit(own_parent(), resource.RLIMIT_CPU),
    "slow-down": lambda *_: os.setpriority(os.PRIO_PROCESS, own_parent(), 0),
    "pin": lambda *_: os.sched_setaffinity(own_parent(), os.sched_getaffinity(own_parent())),
    "trace": lambda *_: raw(101, 117, 0x4206, own_parent(), 0, 0),  # PTRACE_SEIZE
    "read-memory": lambda *_: raw(310, 270, own_parent(), 0, 0, 0, 0, 0),  # process_vm_readv
    "open-memory": lambda *_: open(f"/proc/{own_parent()}/mem", "rb"),
    "parent-environment": lambda *_: open(f"/proc/{own_parent()}/environ", "rb").read(),
    "outlive": lambda *_: raw(157, 167, 1, 0, 0, 0, 0),  # PR_SET_PDEATHSIG
    "namespace": lambda *_: raw(272, 97, 0x10000000),  # unshare
    "mount": lambda *_: raw(165, 40, b"none", b"/nowhere", b"tmpfs", 0, 0),
    "new-root": lambda *_: os.chroot("/"),
    "ring": lambda *_: raw(425, 425, 1, 0),  # io_uring_setup
    "shared-memory": lambda *_: raw(29, 194, 1, 4096, 0),  # shmget
    "environment": lambda *_: "; ".join(f"{name}={value}" for name, value in sorted(os.environ.items())),
    "much-memory": lambda *_: len(bytearray(2 << 30)),
}
ORDERS: Mapping[str, Order] = {**FILES, **OTHERS}


def send(*frames: Mapping[str, object]) -> None:
    for frame in frames:
        os.write(CHANNEL, encode(frame))


def send_bytes(data: bytes) -> None:
    while data:
        data = data[os.write(CHANNEL, data) :]
    spin()


def spin() -> None:
    while True:
        pass


def flood(frame: Mapping[str, object]) -> None:
    send(START)
    many = encode(frame) * 100
    while True:
        send_all(many)


def send_all(data: bytes) -> None:
    while data:
        data = data[os.write(CHANNEL, data) :]


def complain() -> None:
    while True:
        os.write(2, b"complaint " * 400)


def die_after_a_page() -> None:
    page = {"kind": "page", "number": 1, "text": "kept", "more": False, "headings": [], "tables": [], "damaged": False}
    send(START, page)
    os.abort()


PIECE = {"kind": "page", "number": 1, "text": "", "more": True}
ATTACKS: Mapping[str, Callable[[], object]] = {
    "hang": spin,
    "vanish": lambda: os._exit(0),
    "abort": os.abort,
    "die-after-a-page": die_after_a_page,
    "complain": complain,
    "flood-alive": lambda: flood({"kind": "alive"}),
    "flood-pieces": lambda: flood(PIECE),
    "long-frame": lambda: send_bytes(struct.pack(">I", 0xFFFFFFFF) + b"x" * 100_000),
    "no-json": lambda: send_bytes(LENGTH.pack(4) + b"{{{{"),
    "no-text": lambda: send_bytes(LENGTH.pack(4) + b"\xff\xfe\xfd\xfc"),
    "nested": lambda: send_bytes(LENGTH.pack(2_000_000) + b"[" * 2_000_000),
    "huge-number": lambda: send_bytes(LENGTH.pack(1_000_000) + b"9" * 1_000_000),
    "half-frame": lambda: (os.write(CHANNEL, LENGTH.pack(100) + b"{"), os._exit(0)),
}

if __name__ == "__main__":
    readers._READERS = {**readers._READERS, media_types.PLAIN: ("__main__", "read_hostile")}
    extract.main()
