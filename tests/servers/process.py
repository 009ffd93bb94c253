"""Programs that tests start once, and that end with the test session however it ends."""

import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

UNPRIVILEGED = "nobody"
PORTS = (20_000, 32_000)

_BECOME = (
    "import os, sys; user, group = map(int, sys.argv[1:3]); os.setgroups([]); os.setgid(group); os.setuid(user);"
    " os.execv(sys.argv[3], sys.argv[3:])"
)
# The shell waits for the end of its standard input: the kernel closes it when the tests are gone, even killed. Then it
# asks the server to stop (SIGINT), waits, and removes the folder.
_GUARD = '"$@" </dev/null & cat >/dev/null; kill -INT $!; wait; rm -rf "$0"'


def as_unprivileged() -> dict[str, Any]:
    """For subprocess: who runs a server that refuses root. Nothing where the tests are not root themselves."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _becoming() -> list[str]:
    """The beginning of a command that then runs without privileges.

    Not subprocess's own way: that forks in earnest, and gRPC, where it has threads here, may abort the child.
    """
    who = as_unprivileged()
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(who["user"]), str(who["group"])] if who else []


@contextmanager
def private_folder(name: str) -> Iterator[Path]:
    """A folder that belongs to whoever runs the servers, gone afterwards. No folder above it is changed."""
    folder = Path(tempfile.mkdtemp(prefix=f"acervo-{name}-"))
    who = as_unprivileged()
    if who:
        os.chown(folder, who["user"], who["group"])
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def guarded(command: Sequence[str | Path], folder: Path) -> Iterator[Path]:
    """A server that works in `folder` until the block ends, or the tests die; yields the file that it logs to."""
    log = folder / "server.log"
    with log.open("ab") as output:
        guard = subprocess.Popen(
            [*_becoming(), "/bin/sh", "-c", _GUARD, str(folder), *map(str, command)],
            stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=folder, env=environment(folder),
            start_new_session=True,
        )  # fmt: skip
    assert guard.stdin is not None
    try:
        yield log
    finally:
        guard.stdin.close()
        guard.wait(30)


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the tests' own: no address, no password, a folder for temporary files of its own."""
    return {"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8", "HOME": str(folder)}


def readable_by_all(installed: Path, folder: Path) -> Path:
    """The folder with programs, or a copy of it where somebody without privileges could not reach it."""
    closed = any(not above.stat().st_mode & 0o001 for above in [installed, *installed.parents])
    if not closed or os.geteuid() != 0:
        return installed
    copy = folder / "programs"
    shutil.copytree(installed, copy, symlinks=True)
    copy.chmod(0o755)
    return copy


def free_port() -> int:
    """A port on loopback that nobody listens on now.

    It is none of those that the kernel hands out by itself: a server that is away for a moment would find its port
    taken by a connection, perhaps by that of a client that tries to reach it.
    """
    while True:
        port = random.randrange(*PORTS)  # noqa: S311 - nothing to guard
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
