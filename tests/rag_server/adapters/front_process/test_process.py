"""The process that speaks gRPC: what clients see of it, and how it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from acervo.rag.v1 import search_service_pb2 as pb
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from rag_server.adapters.front_process.process import PAUSE_S, FrontOrder, FrontProcess
from serving.line import Asked, Failed
from serving.server import PortTaken, Server, bind

LONG_S = 30.0


class Searches:
    """Answers with what came beside the message."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, asked: Asked) -> bytes:
        request = pb.SearchRequest.FromString(asked.message)
        if request.query == "fail":
            raise Failed(grpc.StatusCode.NOT_FOUND.value[0], "nothing", (("retry-after", "2"),))
        if request.query == "wait":
            self.begun.set()
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        hit = pb.SearchHit(document=asked.request_id, text=asked.traceparent, score=asked.left_s or 0.0)
        return pb.SearchResponse(hits=[hit]).SerializeToString()


@pytest.fixture
async def searches() -> Searches:
    return Searches()


@pytest.fixture
async def inner() -> AsyncIterator[Server]:
    server = bind("127.0.0.1:0", [], [])
    await server.start()
    await server.ready()
    yield server
    await server.stop(0, 0)


@pytest.fixture
async def front(inner: Server, searches: Searches, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FrontProcess]:
    monkeypatch.setenv("ACERVO_POSTGRES", "postgresql://a:b@c/d")
    front = FrontProcess(FrontOrder("127.0.0.1:0", f"127.0.0.1:{inner.port}", (), "INFO"), searches)
    await front.start()
    yield front
    await front.stop()


@pytest.fixture
async def channel(front: FrontProcess) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
        yield channel


def child() -> psutil.Process:
    return next(one for one in psutil.Process().children() if "rag_server.front" in one.cmdline())


async def hit(channel: grpc.aio.Channel, query: str = "a") -> pb.SearchHit:
    metadata = (("x-request-id", "abc"), ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"))
    call = SearchServiceStub(channel).Search(
        pb.SearchRequest(query=query), metadata=metadata, timeout=LONG_S, wait_for_ready=True
    )
    return (await call).hits[0]


async def test_searches_come_over_the_line_with_their_names_and_deadline(channel: grpc.aio.Channel) -> None:
    told = await hit(channel)
    assert told.document == "abc"
    assert told.text.startswith(f"00-{'a' * 32}-")
    assert "b" * 16 not in told.text
    assert 0 < told.score < LONG_S


async def test_a_failed_search_keeps_its_status(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await hit(channel, "fail")
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert raised.value.details() == "nothing"
    assert ("retry-after", "2") in tuple(raised.value.trailing_metadata() or ())


async def test_other_calls_are_passed_on(channel: grpc.aio.Channel, inner: Server) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
    watching = health.Watch(health_pb2.HealthCheckRequest())
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
    await inner.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watching.cancel()
    unknown: Any = channel.unary_unary("/acervo.rag.v1.NoService/Nothing")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await unknown(b"")
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_client_that_goes_ends_its_search(channel: grpc.aio.Channel, searches: Searches) -> None:
    call = SearchServiceStub(channel).Search(pb.SearchRequest(query="wait"))
    async with asyncio.timeout(LONG_S):
        await searches.begun.wait()
        call.cancel()
        await searches.cancelled.wait()


async def test_it_is_started_again_where_it_was(channel: grpc.aio.Channel, front: FrontProcess) -> None:
    await hit(channel)
    keeping = asyncio.create_task(front.keep())
    first = child()
    first.kill()
    async with asyncio.timeout(LONG_S):
        while first.is_running() and first.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)
        while not await _is_answered(channel):
            await asyncio.sleep(0.01)
    assert child().pid != first.pid
    await front.stop()
    await keeping


async def test_one_that_ended_is_not_started_again_after_a_stop(front: FrontProcess) -> None:
    keeping = asyncio.create_task(front.keep())
    child().kill()
    await asyncio.sleep(PAUSE_S / 2)
    await front.stop()
    await keeping
    assert not [one for one in psutil.Process().children() if "rag_server.front" in one.cmdline()]


async def _is_answered(channel: grpc.aio.Channel) -> bool:
    try:
        await hit(channel)
    except grpc.aio.AioRpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


async def test_searches_under_way_are_answered_before_it_ends(
    channel: grpc.aio.Channel, front: FrontProcess, searches: Searches
) -> None:
    asking = asyncio.create_task(hit(channel, "wait"))
    await searches.begun.wait()
    stopping = asyncio.create_task(front.stop())
    await asyncio.sleep(0.05)
    searches.let_go.set()
    assert (await asking).document == "abc"
    await stopping
    assert not [one for one in psutil.Process().children() if "rag_server.front" in one.cmdline()]


async def test_a_taken_port_is_told(inner: Server, searches: Searches) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        front = FrontProcess(FrontOrder(address, f"127.0.0.1:{inner.port}", (), "INFO"), searches)
        with pytest.raises(PortTaken, match=address):
            await front.start()


@pytest.mark.usefixtures("front")
async def test_it_sees_no_settings() -> None:  # those of the store hold passwords
    assert not [name for name in child().environ() if name.startswith("ACERVO_")]
