"""Unary calls between two processes of one program, over one socket: many at once, each answered when it is ready.

gRPC costs a process more than the work of a short call, and its threads want the same interpreter. So one process may
speak gRPC for another, and hand calls on over such a line. Both ends are of the same version: the form of the frames is
nobody else's business.
"""

import asyncio
import base64
import json
import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from serving.errors import Unavailable

TrailingMetadata = Sequence[tuple[str, str | bytes]]

_HEAD = struct.Struct("<IQB")  # length of the body, number of the call, kind
_ASKED = struct.Struct("<dHH")  # seconds left or NaN, lengths of the two names of the request


class LineBroken(Unavailable):
    """The part that answers this has just gone; it is started again."""

    reason = "RAG_SERVER_UNAVAILABLE"


class _Kind(IntEnum):
    ASKED = 1
    CANCELLED = 2
    ANSWERED = 3
    FAILED = 4
    TOLD = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it is handed on."""

    message: bytes
    request_id: str
    traceparent: str
    left_s: float | None  # until its deadline; None: it has none


@dataclass(eq=False)  # not frozen: context managers set the traceback of what they see
class Failed(Exception):
    """A call ended with a status that is not OK."""

    code: int  # of grpc
    details: str
    trailing: TrailingMetadata


class _Frames(asyncio.Protocol):
    """Cuts what comes into frames."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._came = bytearray()
        # What the other end told first that is no call; None: the line broke before.
        self.told: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of a stream socket

    def data_received(self, data: bytes) -> None:
        came, at = self._came, 0
        came += data
        while len(came) - at >= _HEAD.size:
            length, number, kind = _HEAD.unpack_from(came, at)
            end = at + _HEAD.size + length
            if len(came) < end:
                break
            self._take(number, kind, bytes(came[at + _HEAD.size : end]))
            at = end
        del came[:at]

    def connection_lost(self, _: Exception | None) -> None:
        if not self.told.done():
            self.told.set_result(None)

    def tell(self, what: bytes) -> None:
        """Something that is no call."""
        self._send(0, _Kind.TOLD, what)

    def close(self) -> None:
        """The other end is told by the end of the stream, after what was sent before."""
        self._transport.close()

    def _send(self, number: int, kind: _Kind, body: bytes = b"") -> None:
        if not self._transport.is_closing():
            self._transport.write(_HEAD.pack(len(body), number, kind) + body)

    def _take(self, number: int, kind: int, body: bytes) -> None:
        del number
        if kind == _Kind.TOLD and not self.told.done():
            self.told.set_result(body)


class Asking(_Frames):
    """The end that asks."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self.broken = asyncio.Event()

    async def ask(self, asked: Asked) -> bytes:
        """The answer. Cancelling cancels the call. Raises Failed, LineBroken."""
        if self.broken.is_set():
            raise LineBroken
        self._number += 1
        number = self._number
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._send(number, _Kind.ASKED, _packed(asked))
        try:
            return await future
        except asyncio.CancelledError:
            self._send(number, _Kind.CANCELLED)
            raise
        finally:
            del self._waiting[number]

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.broken.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(LineBroken())

    def _take(self, number: int, kind: int, body: bytes) -> None:
        if kind not in (_Kind.ANSWERED, _Kind.FAILED):
            super()._take(number, kind, body)
            return
        future = self._waiting.get(number)
        if future is None or future.done():  # it was cancelled meanwhile
            return
        if kind == _Kind.ANSWERED:
            future.set_result(body)
        else:
            future.set_exception(_failed(body))


class Answering(_Frames):
    """The end that answers."""

    def __init__(self, answer: Callable[[Asked], Awaitable[bytes]]) -> None:
        """`answer` may raise Failed, and nothing else."""
        super().__init__()
        self._answer = answer
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        for task in list(self._tasks.values()):
            task.cancel()

    def _take(self, number: int, kind: int, body: bytes) -> None:
        if kind == _Kind.ASKED:
            task = asyncio.ensure_future(self._answered(number, _unpacked(body)))
            self._tasks[number] = task
            task.add_done_callback(lambda _: self._tasks.pop(number))
        elif kind == _Kind.CANCELLED:
            if (under_way := self._tasks.get(number)) is not None:
                under_way.cancel()
        else:
            super()._take(number, kind, body)

    async def _answered(self, number: int, asked: Asked) -> None:
        try:
            self._send(number, _Kind.ANSWERED, await self._answer(asked))
        except Failed as failed:
            self._send(number, _Kind.FAILED, _of_failure(failed))


def _packed(asked: Asked) -> bytes:
    names = (asked.request_id.encode(), asked.traceparent.encode())
    left_s = math.nan if asked.left_s is None else asked.left_s
    return b"".join([_ASKED.pack(left_s, *map(len, names)), *names, asked.message])


def _unpacked(body: bytes) -> Asked:
    left_s, of_id, of_parent = _ASKED.unpack_from(body)
    id_end = _ASKED.size + of_id
    parent_end = id_end + of_parent
    request_id, traceparent = body[_ASKED.size : id_end].decode(), body[id_end:parent_end].decode()
    return Asked(body[parent_end:], request_id, traceparent, None if math.isnan(left_s) else left_s)


def _of_failure(failed: Failed) -> bytes:
    """The values of keys that end so are bytes, as everywhere in gRPC."""
    trailing = [
        (key, base64.b64encode(value).decode() if isinstance(value, bytes) else value) for key, value in failed.trailing
    ]
    return json.dumps((failed.code, failed.details, trailing)).encode()


def _failed(body: bytes) -> Failed:
    code, details, trailing = json.loads(body)
    return Failed(
        code,
        details,
        tuple((key, base64.b64decode(value) if key.endswith("-bin") else value) for key, value in trailing),
    )
