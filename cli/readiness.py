"""Waiting until a program serves. Each returns once it does, and waits for ever where it does not."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from acervo.rag.v1.system_service_pb2 import CONDITION_DOWN, GetHealthRequest
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceStub

Readiness = Callable[[], Awaitable[None]]

PAUSE_S = 0.05
ANSWER_S = 2.0
# A channel for each question: one that was refused would wait before it connects again.
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))


def serving(address: str) -> Readiness:
    """A gRPC server at `host:port` whose health is SERVING."""

    async def wait() -> None:
        while not await _is_serving(address):  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(PAUSE_S)

    return wait


def reaching(addresses: Sequence[str]) -> Readiness:
    """Gateways at `host:port` each of which gets answers from a rag_server."""

    async def wait() -> None:
        for address in addresses:
            while not await _reaches(address):  # noqa: ASYNC110 - the event is in another process
                await asyncio.sleep(PAUSE_S)

    return wait


def answering(host: str, port: int, path: str) -> Readiness:
    """A web server that answers 200 at a path."""

    async def wait() -> None:
        while not await _answers(host, port, path):  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(PAUSE_S)

    return wait


def settled(after_s: float) -> Readiness:
    """A program that nobody can ask: it is taken to be ready when it has lived for a while."""

    async def wait() -> None:
        await asyncio.sleep(after_s)

    return wait


async def _is_serving(address: str) -> bool:
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_S)  # type: ignore[attr-defined]  # its published types leave the methods out
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _reaches(address: str) -> bool:
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        try:
            answer = await SystemServiceStub(channel).GetHealth(GetHealthRequest(), timeout=ANSWER_S)
        except grpc.aio.AioRpcError:
            return False
    return all(part.condition != CONDITION_DOWN for part in answer.components if part.name == "rag_server")


async def _answers(host: str, port: int, path: str) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
                status = await reader.readline()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]
