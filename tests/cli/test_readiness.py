import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest_asyncio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from acervo.rag.v1 import system_service_pb2 as pb
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceServicer, add_SystemServiceServicer_to_server
from cli.readiness import answering, reaching, serving, settled

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest_asyncio.fixture
async def checks() -> AsyncIterator[tuple[health.aio.HealthServicer, str]]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await servicer.set("", NOT_SERVING)
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


async def test_a_grpc_server_is_ready_when_its_health_says_so(checks: tuple[health.aio.HealthServicer, str]) -> None:
    servicer, address = checks
    waiting = asyncio.ensure_future(serving(address)())
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await servicer.set("", SERVING)
    await asyncio.wait_for(waiting, 10)


async def test_a_port_where_nobody_listens_is_not_ready() -> None:
    waiting = asyncio.ensure_future(serving("127.0.0.1:1")())
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    waiting.cancel()


async def test_a_web_server_is_ready_when_it_answers_200() -> None:
    answers = iter([b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\n\r\n"])
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(next(answers))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.wait_for(answering("127.0.0.1", port, "/health/ready")(), 10)
    assert asked == [b"GET /health/ready HTTP/1.1\r\n"] * 3


async def test_gateways_are_in_touch_once_each_of_them_reaches_a_rag_server() -> None:
    asked = []

    class Gateway(SystemServiceServicer):
        async def GetHealth(
            self, request: pb.GetHealthRequest, _context: grpc.aio.ServicerContext[object, object]
        ) -> pb.GetHealthResponse:
            asked.append(request)
            rag_server = pb.CONDITION_DOWN if len(asked) < 3 else pb.CONDITION_DEGRADED
            parts = {"gateway": pb.CONDITION_OK, "rag_server": rag_server, "index": pb.CONDITION_DOWN}
            components = [pb.Component(name=name, condition=condition) for name, condition in parts.items()]
            return pb.GetHealthResponse(ready=False, components=components)

    server = grpc.aio.server()
    add_SystemServiceServicer_to_server(Gateway(), server)  # type: ignore[abstract]  # nothing else is asked
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    await asyncio.wait_for(reaching([address, address])(), 10)
    assert len(asked) == 4
    await server.stop(None)


async def test_a_program_that_cannot_be_asked_is_ready_after_a_while() -> None:
    await asyncio.wait_for(settled(0.01)(), 10)
