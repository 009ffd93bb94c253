"""Vectors searched inside PostgreSQL, with the real programs: switched on later, fed by the worker's documents."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import (
    document_service_pb2,
    job_pb2,
    job_service_pb2,
    search_service_pb2,
    system_service_pb2,
)
from acervo.rag.v1.document_service_pb2_grpc import DocumentServiceStub
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from acervo.rag.v1.system_service_pb2_grpc import SystemServiceStub
from tests.gateway.world import parts
from tests.servers.postgres import PostgresServer
from tests.servers.process import free_port
from tests.servers.redis import RedisServer
from tests.system import documents
from tests.system.test_production import DEADLINE_S, program

_INDEX = "SELECT count(*) FROM pg_indexes WHERE indexname = 'ix_nearest_chunk_vector'"


@pytest.fixture
def settings(postgres_database: str, own_redis_server: RedisServer, tmp_path: Path) -> dict[str, str]:
    own_redis_server.start()
    return {
        "ACERVO_STORE": postgres_database,
        "ACERVO_REDIS": own_redis_server.url,
        "ACERVO_BLOBS": str(tmp_path / "blobs"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@asynccontextmanager
async def serve(settings: dict[str, str], log: Path) -> AsyncIterator[grpc.aio.Channel]:
    address = f"127.0.0.1:{free_port()}"
    async with (
        program("rag_server.serve", settings | {"ACERVO_RAG_LISTEN": address}, log),
        grpc.aio.insecure_channel(address) as channel,
        asyncio.timeout(DEADLINE_S),
    ):
        health = system_service_pb2.GetHealthRequest()
        await SystemServiceStub(channel).GetHealth(health, wait_for_ready=True)
        yield channel


async def test_vectors_are_searched_in_the_database_once_it_is_asked_for(
    settings: dict[str, str], postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    before, after = documents.new_word(), documents.new_word()
    async with program("rag_server.work", settings, tmp_path / "work.log"):
        async with serve(settings, tmp_path / "faiss.log") as channel:
            await ingest(channel, before)
        async with serve(settings | {"ACERVO_VECTORS": "pgvector"}, tmp_path / "pgvector.log") as channel:
            document_id = await ingest(channel, after)
            assert await found(channel) == {before, after}
            await verified(channel)
            gone = document_service_pb2.DeleteDocumentRequest(name=f"collections/default/documents/{document_id}")
            await DocumentServiceStub(channel).DeleteDocument(gone)
            assert await found(channel) == {before}
            name = postgres_database.rpartition("/")[2]
            while postgres_server.execute(_INDEX, name).strip() != "1":
                await asyncio.sleep(0.1)
    assert "vector index built" in (tmp_path / "pgvector.log").read_text()


async def ingest(channel: grpc.aio.Channel, word: str) -> str:
    """Take a document in; its id once its job says that it can be found."""
    answer = await IngestServiceStub(channel).Ingest(parts(f"{word}.txt", documents.text(word)))
    async for told in JobServiceStub(channel).JobStatus(job_service_pb2.JobStatusRequest(name=answer.job.name)):
        job = told.job
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED
    return str(job.document.rpartition("/")[2])


async def found(channel: grpc.aio.Channel) -> set[str]:
    """The words of documents that are found by meaning alone."""
    mode = search_service_pb2.SEARCH_MODE_DENSE
    request = search_service_pb2.SearchRequest(query="manutenção do edifício", mode=mode)
    hits = (await SearchServiceStub(channel).Search(request)).hits
    return {word for hit in hits for word in hit.text.split() if word.startswith("palavra")}


async def verified(channel: grpc.aio.Channel) -> None:
    checked = {}
    async for told in SystemServiceStub(channel).Verify(system_service_pb2.VerifyRequest()):
        assert told.invariant.ok, told.invariant.detail
        checked[told.invariant.id] = told.invariant.checked
    assert checked["I4"] > 0
