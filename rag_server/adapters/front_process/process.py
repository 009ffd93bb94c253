"""The process that speaks gRPC for this one: kept running, and ended after the calls."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace

from serving import logs
from serving.line import Answering, Asked
from serving.server import GRACE_S, port_taken

MODULE = "rag_server.front"
PAUSE_S = 0.2  # before it is started again
LAST_S = 5.0  # beyond the grace for calls under way
STOP = b"stop"

LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class FrontOrder:
    """What the process is started with."""

    listen: str  # host:port; port 0 picks a free one
    inner: str  # where calls that do not come over the line are answered
    streamed: tuple[str, ...]  # the methods whose requests are streams
    log_level: str
    line_fd: int = -1


class FrontProcess:
    """Listens where clients call. Searches come from it over a line, other calls over gRPC."""

    def __init__(self, order: FrontOrder, answer: Callable[[Asked], Awaitable[bytes]]) -> None:
        """`answer` answers what comes over the line."""
        self._order = order
        self._answer = answer
        self._process: asyncio.subprocess.Process
        self._line: Answering
        self._stopping = False
        self.port = 0

    async def start(self) -> None:
        """Returns when clients can call. Raises PortTaken."""
        ours, theirs = socket.socketpair()
        with theirs:
            order = replace(self._order, line_fd=theirs.fileno())
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                MODULE,
                json.dumps(asdict(order)),
                pass_fds=[theirs.fileno()],
                env={name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")},
            )
        loop = asyncio.get_running_loop()
        _, self._line = await loop.create_unix_connection(lambda: Answering(self._answer), sock=ours)
        told = await self._line.told
        if told is None:
            raise RuntimeError(f"{MODULE} ended with status {await self._process.wait()} before it listened")
        if not int(told):
            await self._ended()
            raise port_taken(self._order.listen)
        self.port = int(told)
        host, _, _ = self._order.listen.rpartition(":")
        self._order = replace(self._order, listen=f"{host}:{self.port}")

    async def keep(self) -> None:
        """Start it again whenever it ends, until it is stopped. Raises PortTaken."""
        while True:
            status = await self._process.wait()
            if not self._stopping:
                LOG.warning("front ended", status=status)
                self._line.close()
                await asyncio.sleep(PAUSE_S)
            if self._stopping:  # perhaps in the pause
                return
            await self.start()

    async def stop(self) -> None:
        """It takes no more calls, lets those under way end, which still need this process, and goes."""
        self._stopping = True
        self._line.tell(STOP)
        await self._ended()
        self._line.close()

    async def _ended(self) -> None:
        try:
            async with asyncio.timeout(GRACE_S + LAST_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
