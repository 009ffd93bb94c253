"""A small pgbouncer in transaction mode: each transaction gets whichever session of the server is free.

It speaks as much of PostgreSQL's protocol 3.0 as that takes, and refuses settings at the start, as pgbouncer does.
"""

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers.postgres import SUPERUSER, PostgresServer

PROTOCOL = 196_608
ASKS_FOR_ENCRYPTION = (80_877_103, 80_877_104)
KNOWN_AT_THE_START = {"user", "database", "client_encoding", "application_name", "timezone", "datestyle"}
_TOLD = {"server_version": "18.0", "client_encoding": "UTF8", "standard_conforming_strings": "on"}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _start(values: dict[str, str]) -> bytes:
    body = struct.pack("!i", PROTOCOL)
    body += b"".join(f"{name}\0{value}\0".encode() for name, value in values.items()) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A message: its kind, and all of its bytes."""
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


class Pooler:
    """Lends `sessions` sessions of a database to any number of clients."""

    def __init__(self, socket: Path, database: str, sessions: int) -> None:
        self._socket = socket
        self._database = database
        self._sessions = sessions
        self._free: asyncio.Queue[Streams] = asyncio.Queue()
        self._clients: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None

    async def begin(self) -> int:
        """Open the sessions, and listen; the port."""
        for _ in range(self._sessions):
            reader, writer = await asyncio.open_unix_connection(self._socket)
            writer.write(_start({"user": SUPERUSER, "database": self._database, "client_encoding": "UTF8"}))
            while (await _read(reader))[0] != b"Z":
                pass
            self._free.put_nowait((reader, writer))
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._listening.sockets[0].getsockname()[1])

    async def end(self) -> None:
        """Close everything."""
        if self._listening is not None:
            self._listening.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        while not self._free.empty():
            self._free.get_nowait()[1].close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            if await self._greet(reader, writer):
                await self._lend(reader, writer)
        writer.close()
        self._clients.discard(task)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        while True:
            length, code = struct.unpack("!ii", await reader.readexactly(8))
            body = await reader.readexactly(length - 8)
            if code not in ASKS_FOR_ENCRYPTION:
                break
            writer.write(b"N")
        unknown = set(body.decode().split("\0")[:-2:2]) - KNOWN_AT_THE_START
        if code != PROTOCOL or unknown:
            fields = f"SFATAL\0C08P01\0Munsupported startup parameter: {sorted(unknown)}\0\0"
            writer.write(_message(b"E", fields.encode()))
            return False
        told = b"".join(_message(b"S", f"{name}\0{value}\0".encode()) for name, value in _TOLD.items())
        keys = _message(b"K", struct.pack("!ii", 1, 1))
        writer.write(_message(b"R", struct.pack("!i", 0)) + told + keys + _message(b"Z", b"I"))
        return True

    async def _lend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering: asyncio.Task[None] | None = None
        session: Streams | None = None
        while True:
            kind, message = await _read(reader)
            if kind == b"X":
                return
            if session is None or answering is None or answering.done():
                session = await self._free.get()
                answering = asyncio.create_task(self._answer(session, writer))
            session[1].write(message)

    async def _answer(self, session: Streams, writer: asyncio.StreamWriter) -> None:
        """Pass answers on until the transaction has ended; the session is free before the client hears of it."""
        while True:
            kind, answer = await _read(session[0])
            if (kind, answer[5:]) == (b"Z", b"I"):
                self._free.put_nowait(session)
                asyncio.get_running_loop().call_soon(writer.write, answer)  # when this task is done
                return
            writer.write(answer)


@contextmanager
def running_pooler(server: PostgresServer, database: str, sessions: int = 3) -> Iterator[str]:
    """A pooler before a database, in a thread of its own; its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="pooler", daemon=True)
    thread.start()
    pooler = Pooler(server.folder / f".s.PGSQL.{server.port}", database, sessions)
    try:
        port = asyncio.run_coroutine_threadsafe(pooler.begin(), loop).result(30)
        yield f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{database}"
    finally:
        asyncio.run_coroutine_threadsafe(pooler.end(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
