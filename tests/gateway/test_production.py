"""Gateways that share an outbox in PostgreSQL and a folder of files."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import job_service_pb2
from storage.profile import Production
from tests.gateway.rag_server_stand_in import RagServerStandIn
from tests.gateway.world import World, a_world, eventually


@pytest.fixture
async def rag_server() -> AsyncIterator[RagServerStandIn]:
    """One that does not run yet."""
    server = RagServerStandIn()
    await server.start()
    await server.stop()
    yield server
    await server.stop()


@pytest.fixture
async def gateways(
    rag_server: RagServerStandIn, postgres_database: str, tmp_path: Path
) -> AsyncIterator[tuple[World, World]]:
    storage = Production(postgres_database, "redis://127.0.0.1:1", str(tmp_path / "blobs"))
    async with (
        a_world(tmp_path / "one", rag_server, storage=storage) as one,
        a_world(tmp_path / "other", rag_server, storage=storage) as other,
    ):
        yield one, other


async def test_what_one_gateway_took_in_every_gateway_knows(gateways: tuple[World, World]) -> None:
    one, other = gateways
    name = (await one.upload(b"shared")).files[0].job.name
    told = await other.jobs.GetJob(job_service_pb2.GetJobRequest(name=name))
    assert told.job.name == name


async def test_a_request_id_sent_to_two_gateways_at_once_is_one_job_and_handed_over_once(
    gateways: tuple[World, World], rag_server: RagServerStandIn
) -> None:
    answers = await asyncio.gather(*(world.upload(b"once", request_id="mine") for world in gateways * 4))
    assert len({answer.files[0].job.name for answer in answers}) == 1
    await rag_server.start()
    await eventually(lambda: len(rag_server.taken) == 1)
    other = await gateways[0].upload(b"another", name="b.txt")
    await eventually(lambda: len(rag_server.taken) == 2)
    assert other.files[0].job.name == rag_server.taken[1].job


async def test_what_was_taken_in_is_handed_over_by_whichever_gateway_is_there(
    rag_server: RagServerStandIn, postgres_database: str, tmp_path: Path
) -> None:
    storage = Production(postgres_database, "redis://127.0.0.1:1", str(tmp_path / "blobs"))
    async with a_world(tmp_path / "one", rag_server, storage=storage) as one:
        name = (await one.upload(b"left behind")).files[0].job.name
    async with a_world(tmp_path / "other", rag_server, storage=storage):
        await rag_server.start()
        await eventually(lambda: [header.job for header in rag_server.taken] == [name])


async def test_a_database_that_is_away_is_told_to_clients_and_not_its_address(
    rag_server: RagServerStandIn, tmp_path: Path
) -> None:
    storage = Production("postgresql://acervo:sesame@127.0.0.1:1/acervo", "redis://127.0.0.1:1", str(tmp_path))
    with pytest.raises(Exception, match="store") as raised:
        async with a_world(tmp_path, rag_server, storage=storage):
            pass
    assert not isinstance(raised.value, grpc.RpcError)
    assert "sesame" not in str(raised.value)
