"""The first moments of a gateway: it finds out what is behind it before it says what it can do."""

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from acervo.rag.v1 import search_service_pb2
from tests.gateway.rag_server_stand_in import RagServerStandIn
from tests.gateway.world import World, a_world

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ENOUGH_S = 20.0
QUERY = search_service_pb2.SearchRequest(query="edital")


async def _away() -> RagServerStandIn:
    """One that has a port, and does not listen yet."""
    rag_server = RagServerStandIn()
    await rag_server.start()
    await rag_server.stop()
    return rag_server


async def _told(world: World) -> int:
    check = health_pb2_grpc.HealthStub(world.channel).Check  # type: ignore[attr-defined]  # the stubs lack it
    return int((await check(health_pb2.HealthCheckRequest(), timeout=ENOUGH_S)).status)


async def _serves(world: World) -> None:
    async with asyncio.timeout(ENOUGH_S):
        while await _told(world) != SERVING:
            await asyncio.sleep(0.01)


async def test_it_serves_once_the_rag_server_was_reached_and_then_nothing_is_refused(tmp_path: Path) -> None:
    rag_server = await _away()
    async with a_world(tmp_path, rag_server) as world:
        assert await _told(world) == NOT_SERVING
        await rag_server.start()
        await _serves(world)
        await world.search.Search(QUERY, timeout=ENOUGH_S)


async def test_a_call_of_the_first_moments_is_answered_as_soon_as_it_can_be(tmp_path: Path) -> None:
    rag_server = await _away()
    async with a_world(tmp_path, rag_server) as world:
        asked = asyncio.ensure_future(world.search.Search(QUERY, timeout=ENOUGH_S))
        await _told(world)
        await rag_server.start()
        await asked


async def test_without_a_rag_server_it_serves_uploads_all_the_same_and_refuses_searches(tmp_path: Path) -> None:
    async with a_world(tmp_path, await _away()) as world:
        await _serves(world)
        assert (await world.upload(b"kept")).job_id
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await world.search.Search(QUERY, timeout=ENOUGH_S)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
