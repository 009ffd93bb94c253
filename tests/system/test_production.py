"""The production profile with real servers: PostgreSQL, Redis, a shared folder of files, two replicas of `serve`."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import grpc
import pytest

from acervo.rag.v1 import job_pb2, job_service_pb2, search_service_pb2, system_service_pb2
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceStub
from tests.gateway.world import parts
from tests.servers.process import free_port
from tests.servers.redis import RedisServer
from tests.system import documents

if TYPE_CHECKING:
    from acervo.rag.v1.system_service_pb2_grpc import SystemServiceAsyncStub

ROOT = Path(__file__).parents[2]
DEADLINE_S = 90.0
NOT_YET = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Deployment:
    gateway: grpc.aio.Channel
    replicas: tuple[grpc.aio.Channel, grpc.aio.Channel]
    redis: RedisServer
    logs: Path

    async def ingest(self, word: str) -> job_pb2.Job:
        """Take a document in through the gateway; its job at the end."""
        answer = await IngestServiceStub(self.gateway).Ingest(parts(f"{word}.txt", documents.text(word)), timeout=30)
        async with asyncio.timeout(DEADLINE_S):
            request = job_service_pb2.JobStatusRequest(name=answer.job.name)
            async for told in JobServiceStub(self.gateway).JobStatus(request):
                job = told.job
        return job

    async def is_found_everywhere(self, word: str) -> None:
        request = search_service_pb2.SearchRequest(query=word)
        async with asyncio.timeout(DEADLINE_S):
            for replica in self.replicas:
                while not await _finds(replica, request, word):
                    await asyncio.sleep(0.1)

    async def worker_is_seen(self) -> None:
        """By a replica on another machine than the worker's."""
        health = SystemServiceStub(self.replicas[1])
        async with asyncio.timeout(DEADLINE_S):
            while await _conditions(health, {"worker", "extractor"}) != {system_service_pb2.CONDITION_OK}:
                await asyncio.sleep(0.2)


async def _conditions(health: "SystemServiceAsyncStub", names: set[str]) -> set[int]:
    answer = await health.GetHealth(system_service_pb2.GetHealthRequest(), timeout=10)
    return {component.condition for component in answer.components if component.name in names}


async def _finds(replica: grpc.aio.Channel, request: search_service_pb2.SearchRequest, word: str) -> bool:
    try:
        answer = await SearchServiceStub(replica).Search(request, timeout=10)
    except grpc.aio.AioRpcError as error:
        if error.code() not in NOT_YET:
            raise
        return False
    return any(word in hit.text for hit in answer.hits)


@asynccontextmanager
async def program(module: str, settings: dict[str, str], log: Path) -> AsyncIterator[None]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")}
    environment = {**ours, "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}", **settings}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environment, stderr=output)
    try:
        yield
        assert process.returncode is None, log.read_text()[-3_000:]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            await process.wait()


@pytest.fixture
async def deployment(
    postgres_database: str, own_redis_server: RedisServer, tmp_path: Path
) -> AsyncIterator[Deployment]:
    own_redis_server.start()
    ports = [free_port() for _ in range(3)]
    shared = {"ACERVO_STORE": postgres_database, "ACERVO_REDIS": own_redis_server.url}
    shared |= {"ACERVO_BLOBS": str(tmp_path / "blobs"), "ACERVO_RAG_SERVER": f"127.0.0.1:{ports[1]}"}
    async with AsyncExitStack() as stack:
        for name, module, more in [
            ("gateway", "gateway.serve", {"ACERVO_GATEWAY_LISTEN": f"127.0.0.1:{ports[0]}"}),
            ("serve-1", "rag_server.serve", {"ACERVO_RAG_LISTEN": f"127.0.0.1:{ports[1]}"}),
            ("serve-2", "rag_server.serve", {"ACERVO_RAG_LISTEN": f"127.0.0.1:{ports[2]}"}),
            ("work", "rag_server.work", {}),
        ]:
            # Each as if on a machine of its own.
            settings = shared | more | {"XDG_CACHE_HOME": str(tmp_path / name)}
            await stack.enter_async_context(program(module, settings, tmp_path / f"{name}.log"))
        channels = [await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}")) for port in ports]
        async with asyncio.timeout(DEADLINE_S):
            for channel in channels:
                await channel.channel_ready()
        yield Deployment(channels[0], (channels[1], channels[2]), own_redis_server, tmp_path)


async def test_a_redis_that_is_flushed_stopped_and_started_costs_no_job(
    deployment: Deployment, postgres_database: str
) -> None:
    words = [documents.new_word() for _ in range(4)]
    states = [(await deployment.ingest(words[0])).state]
    assert deployment.redis.say("FLUSHALL") == "+OK\r\n"
    states.append((await deployment.ingest(words[1])).state)
    await asyncio.to_thread(deployment.redis.stop)
    states.append((await deployment.ingest(words[2])).state)
    await asyncio.to_thread(deployment.redis.start)
    states.append((await deployment.ingest(words[3])).state)
    assert states == [job_pb2.JOB_STATE_SUCCEEDED] * 4
    for word in words:
        await deployment.is_found_everywhere(word)
    await deployment.worker_is_seen()
    password = postgres_database.split("@", maxsplit=1)[0].rpartition(":")[2]
    logged = "".join(log.read_text() for log in deployment.logs.glob("*.log"))
    assert "nudges go by polling" in logged
    assert password not in logged


async def test_servers_go_on_while_a_newer_version_adds_to_their_tables(
    deployment: Deployment, postgres_database: str
) -> None:
    before, after = documents.new_word(), documents.new_word()
    assert (await deployment.ingest(before)).state == job_pb2.JOB_STATE_SUCCEEDED
    connection = await asyncpg.connect(postgres_database)
    try:
        tables = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('rag_server', 'gateway')"
        )
        for schema, table in tables:
            await connection.execute(f'ALTER TABLE {schema}."{table}" ADD COLUMN of_the_next_version TEXT')
    finally:
        await connection.close()
    assert len(tables) > 10
    assert (await deployment.ingest(after)).state == job_pb2.JOB_STATE_SUCCEEDED
    for word in (before, after):
        await deployment.is_found_everywhere(word)
