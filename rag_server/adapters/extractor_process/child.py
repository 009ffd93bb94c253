"""The parser child as a process: started, spoken to, watched, killed."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections import deque
from pathlib import Path

import rag_server
from rag_server.adapters.extractor_process.frames import LENGTH, MAX_FRAME_BYTES

_STOP_TIMEOUT_S = 2.0
_RECEIVE_BYTES = 256 << 10
_STDERR_KEPT_BYTES = 8 << 10
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ChildGone(Exception):
    """The child closed the line: it has died, or is about to."""


class FrameTooLong(Exception):
    """The child announces a frame that no honest child sends."""


class Child:
    """One parser process. It is single-minded: one request, then frames until the last."""

    def __init__(self, process: asyncio.subprocess.Process, connection: socket.socket) -> None:
        self._process = process
        self._connection = connection
        self._received = bytearray()
        self._stderr: deque[bytes] = deque(maxlen=8)
        self._drain = asyncio.create_task(self._drain_stderr(), name="extractor-stderr")

    @classmethod
    async def start(cls, memory_bytes: int) -> "Child":
        """A child with a socket as standard input. Must run on the thread that lives as long as the program."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        # An empty folder that is removed under the child's feet: a place where nothing can be made or found.
        folder = tempfile.mkdtemp(prefix="acervo-extract-")
        try:
            process = await asyncio.create_subprocess_exec(
                *_command(memory_bytes),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder,
                env=_environment(),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.rmdir(folder)  # noqa: PTH106 - one call, no thread
        return cls(process, ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, frame: bytes, descriptor: int) -> None:
        """Hand a request over with the document's descriptor.

        :raises ChildGone: the child has died.
        """
        try:
            sent = socket.send_fds(self._connection, [frame], [descriptor])
        except OSError as error:
            raise ChildGone from error
        if sent != len(frame):
            raise ChildGone

    async def receive(self, timeout_s: float) -> bytes:
        """The next frame's payload.

        :raises TimeoutError: nothing complete came in time.
        :raises ChildGone: the line is closed.
        :raises FrameTooLong: the frame would be longer than any allowed.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            await asyncio.sleep(0)  # frames that are there already would else keep everything else waiting
            while (payload := self._take_frame()) is None:
                try:
                    piece = await loop.sock_recv(self._connection, _RECEIVE_BYTES)
                except OSError as error:
                    raise ChildGone from error
                if not piece:
                    raise ChildGone
                self._received += piece
        return payload

    def _take_frame(self) -> bytes | None:
        if len(self._received) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._received)
        if length > MAX_FRAME_BYTES:
            raise FrameTooLong
        end = LENGTH.size + length
        if len(self._received) < end:
            return None
        payload = bytes(self._received[LENGTH.size : end])
        del self._received[:end]
        return payload

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is left over from the last answer, as it must be before the next request."""
        return not self._received and self._process.returncode is None

    def resident_bytes(self) -> int:
        """Memory in use; 0 if the child is gone."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
        except (OSError, IndexError, ValueError):
            return 0

    def stderr_tail(self) -> str:
        """The last of what the child's libraries complained of. It may quote the document: never log it."""
        return b"".join(self._stderr).decode("utf-8", "replace")

    async def stop(self) -> int:
        """Hang up and see the child out, killing it if it lingers. The exit code, negative for a signal."""
        self._connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._process.wait()
        return await self.kill()

    async def kill(self) -> int:
        """End the child and whatever it may have started, at once. The exit code, negative for a signal."""
        self._connection.close()
        if self._process.returncode is None:  # once it is reaped, its number may be another's
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._drain
        return code

    async def _drain_stderr(self) -> None:
        stderr = self._process.stderr
        while stderr is not None and (piece := await stderr.read(_STDERR_KEPT_BYTES // 8)):
            self._stderr.append(piece)


def _command(memory_bytes: int) -> list[str]:
    options = [f"--parent-pid={os.getpid()}", f"--memory-bytes={memory_bytes}"]
    return [sys.executable, "-B", "-P", "-s", "-m", "rag_server.extract", *options]


def _environment() -> dict[str, str]:
    """Nothing of the parent's: its environment may hold secrets."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(rag_server.__file__).parents[1]),
        # numpy, which openpyxl loads, would start a thread per core.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
