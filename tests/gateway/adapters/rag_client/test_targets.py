"""A gateway in front of several rag_servers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from acervo.rag.v1 import search_service_pb2
from gateway.adapters.rag_client.client import RagClient
from gateway.adapters.rag_client.targets import target
from serving.environment import SettingsError
from serving.errors import Unavailable
from tests.gateway.rag_server_stand_in import RagServerStandIn
from tests.gateway.world import eventually

QUERY = search_service_pb2.SearchRequest(query="anything")


class Draining(Unavailable):
    """It would be an error to ask this one."""


@pytest.fixture
async def servers() -> AsyncIterator[list[RagServerStandIn]]:
    made = [RagServerStandIn(), RagServerStandIn()]
    for server in made:
        await server.start()
    yield made
    for server in made:
        await server.stop()


def addresses(servers: list[RagServerStandIn]) -> list[str]:
    return [f"127.0.0.1:{server.port}" for server in servers]


async def search(client: RagClient) -> bool:
    return bool((await client.ask(client.search.Search, QUERY, 10, again=True)).hits)


async def test_who_does_not_say_that_it_serves_is_not_asked(servers: list[RagServerStandIn]) -> None:
    servers[0].failure = Draining()
    await servers[0].drain()
    async with RagClient(addresses(servers)) as client:
        assert all([await search(client) for _ in range(20)])


async def test_one_that_goes_away_costs_no_call_and_is_asked_again_when_it_is_back(
    servers: list[RagServerStandIn],
) -> None:
    async with RagClient(addresses(servers)) as client, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(client.watch_health())
        assert all([await search(client) for _ in range(10)])
        await servers[0].stop()
        assert all([await search(client) for _ in range(50)])
        await servers[0].start()
        await servers[1].stop()

        async def is_back() -> bool:
            try:
                return await search(client)
            except Unavailable:
                return False

        await eventually(is_back)
        watching.cancel()


async def test_questions_to_one_that_hangs_are_answered_by_another(servers: list[RagServerStandIn]) -> None:
    servers[0].hangs = True
    async with RagClient(addresses(servers)) as client, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(client.watch_health())
        assert all(await asyncio.gather(*(search(client) for _ in range(8))))
        watching.cancel()


@pytest.mark.parametrize("given", [["a:1", "b:2"], ["127.0.0.1:1", "[::1]:2"], ["127.0.0.1:1", "b:2"]])
def test_several_must_be_numbers_of_one_kind(given: list[str]) -> None:
    with pytest.raises(SettingsError, match="numbers"):
        target(given)


def test_the_channel_is_named_after_what_it_goes_to() -> None:
    assert target(["rag:50051"]) == "rag:50051"
    assert target(["127.0.0.1:1", "127.0.0.2:2"]) == "ipv4:127.0.0.1:1,127.0.0.2:2"
    assert target(["[::1]:1", "[::1]:2"]) == "ipv6:[::1]:1,[::1]:2"
