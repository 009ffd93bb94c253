"""Calls over a line: many at once, each with its own end."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from serving.line import Answering, Asked, Asking, Failed, LineBroken

SOON_S = 5.0


def asked(message: bytes, left_s: float | None = None) -> Asked:
    return Asked(message, "request-ção", "00-a-b-01", left_s)


class Work:
    """Answers a message with itself when it is let go, or as the message says."""

    def __init__(self) -> None:
        self.seen: list[Asked] = []
        self.cancelled: list[bytes] = []
        self.let_go = asyncio.Event()

    async def __call__(self, asked: Asked) -> bytes:
        self.seen.append(asked)
        if asked.message == b"fail":
            raise Failed(5, "não há", (("grpc-status-details-bin", b"\x00\xff"), ("retry-after", "2")))
        if asked.message.startswith(b"wait"):
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancelled.append(asked.message)
                raise
        return asked.message


@pytest.fixture
async def work() -> Work:
    return Work()


@pytest.fixture
async def line(work: Work) -> AsyncIterator[tuple[Asking, Answering]]:
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    _, asking = await loop.create_unix_connection(Asking, sock=one)
    _, answering = await loop.create_unix_connection(lambda: Answering(work), sock=other)
    async with asyncio.timeout(SOON_S):
        yield asking, answering
        asking.close()
        await asking.broken.wait()


@pytest.mark.parametrize("left_s", [None, 0.25])
async def test_a_call_arrives_as_it_was(line: tuple[Asking, Answering], work: Work, left_s: float | None) -> None:
    for message in (b"", b"a", bytes(range(256)) * 8_192):
        assert await line[0].ask(asked(message, left_s)) == message
        assert work.seen.pop() == asked(message, left_s)


async def test_answers_come_when_they_are_ready(line: tuple[Asking, Answering], work: Work) -> None:
    slow = [asyncio.create_task(line[0].ask(asked(b"wait %d" % n))) for n in range(50)]
    assert await asyncio.gather(*(line[0].ask(asked(b"%d" % n)) for n in range(50))) == [b"%d" % n for n in range(50)]
    assert not any(each.done() for each in slow)
    work.let_go.set()
    assert await asyncio.gather(*slow) == [b"wait %d" % n for n in range(50)]


async def test_a_failure_comes_with_all_that_was_said(line: tuple[Asking, Answering]) -> None:
    with pytest.raises(Failed) as raised:
        await line[0].ask(asked(b"fail"))
    assert raised.value.code == 5
    assert raised.value.details == "não há"
    assert tuple(raised.value.trailing) == (("grpc-status-details-bin", b"\x00\xff"), ("retry-after", "2"))


async def test_a_call_that_is_cancelled_is_cancelled_at_the_other_end(
    line: tuple[Asking, Answering], work: Work
) -> None:
    task = asyncio.create_task(line[0].ask(asked(b"wait")))
    while not work.seen:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while not work.cancelled:
        await asyncio.sleep(0.001)
    assert await line[0].ask(asked(b"next")) == b"next"


async def test_a_line_that_breaks_ends_its_calls(line: tuple[Asking, Answering], work: Work) -> None:
    task = asyncio.create_task(line[0].ask(asked(b"wait")))
    while not work.seen:
        await asyncio.sleep(0)
    line[1].close()
    with pytest.raises(LineBroken):
        await task
    with pytest.raises(LineBroken):
        await line[0].ask(asked(b"a"))
    assert work.cancelled == [b"wait"]


async def test_what_is_told_is_no_call(line: tuple[Asking, Answering], work: Work) -> None:
    line[0].tell(b"50051")
    line[1].tell(b"stop")
    assert await line[1].told == b"50051"
    assert await line[0].told == b"stop"
    assert not work.seen


async def test_a_line_that_broke_before_told_nothing(line: tuple[Asking, Answering]) -> None:
    line[0].close()
    assert await line[1].told is None
