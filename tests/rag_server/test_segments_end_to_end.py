"""serve and work as they are, with a low threshold: a segment is built while searches go on."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import (
    collection_pb2,
    collection_service_pb2,
    collection_service_pb2_grpc,
    document_service_pb2,
    document_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    system_service_pb2,
    system_service_pb2_grpc,
)
from bench.scale_programs import Programs
from bench.scale_store import DOCUMENT_CHUNKS, Passages, fill, number_of
from bench.stack import free_ports
from rag_server.bootstrap.serve import served
from rag_server.bootstrap.work import worker
from rag_server.domain.segment import SegmentLimits
from rag_server.settings import Settings, read

LIMITS = SegmentLimits(min_rows=500, max_rows=2_000)
ROWS = 800
LONG_S = 60.0
COLLECTION = "c"


class Calls:
    """A client of the server under test."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(address)
        self._search: search_service_pb2_grpc.SearchServiceAsyncStub
        self._search = search_service_pb2_grpc.SearchServiceStub(self.channel)
        self._documents: document_service_pb2_grpc.DocumentServiceAsyncStub
        self._documents = document_service_pb2_grpc.DocumentServiceStub(self.channel)
        self._jobs: job_service_pb2_grpc.JobServiceAsyncStub
        self._jobs = job_service_pb2_grpc.JobServiceStub(self.channel)
        self._collections: collection_service_pb2_grpc.CollectionServiceAsyncStub
        self._collections = collection_service_pb2_grpc.CollectionServiceStub(self.channel)
        self._system: system_service_pb2_grpc.SystemServiceAsyncStub
        self._system = system_service_pb2_grpc.SystemServiceStub(self.channel)

    async def found(self, query: str, limit: int = 10) -> list[search_service_pb2.SearchHit]:
        request = search_service_pb2.SearchRequest(
            query=query, collection=COLLECTION, limit=limit, mode=search_service_pb2.SEARCH_MODE_DENSE
        )
        return list((await self._search.Search(request, wait_for_ready=True, timeout=LONG_S)).hits)

    async def numbers(self, query: str) -> list[int]:
        return [number_of(hit.text) for hit in await self.found(query)]

    async def built(self) -> job_pb2.Job:
        """The job that builds a segment, once it has succeeded."""
        request = job_service_pb2.ListJobsRequest(page_size=50, states=[job_pb2.JOB_STATE_SUCCEEDED])
        async with asyncio.timeout(LONG_S):
            while True:
                answer = await self._jobs.ListJobs(request)
                for job in answer.jobs:
                    if job.kind == job_pb2.JOB_KIND_MAINTENANCE and job.sequence:
                        return job
                await asyncio.sleep(0.05)

    async def level(self, sequence: int) -> None:
        request = search_service_pb2.SearchRequest(query="a", collection=COLLECTION, min_sequence=sequence, limit=1)
        await self._search.Search(request, timeout=LONG_S, wait_for_ready=True)

    async def delete(self, name: str) -> None:
        await self._documents.DeleteDocument(document_service_pb2.DeleteDocumentRequest(name=name))

    async def index(self) -> collection_pb2.VectorIndex:
        request = collection_service_pb2.GetCollectionRequest(name=f"collections/{COLLECTION}")
        return (await self._collections.GetCollection(request)).collection.vector_index

    async def verify(self) -> list[str]:
        answers = [one async for one in self._system.Verify(system_service_pb2.VerifyRequest())]
        assert answers
        return [f"{one.invariant.id}: {one.invariant.detail}" for one in answers if not one.invariant.ok]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Calls]:
    async with served(settings, LIMITS):
        calls = Calls(settings.listen)
        yield calls
        await calls.channel.close()


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with worker(settings, LIMITS) as slot:
        running = asyncio.create_task(slot.run(stop))
        yield
        stop.set()
        await running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    variables = {"ACERVO_STORE": str(tmp_path / "data"), "ACERVO_RAG_LISTEN": f"127.0.0.1:{free_ports()}"}
    return read({**variables, "ACERVO_MIN_FREE_BYTES": "0"}, os.cpu_count() or 1)


async def test_a_segment_is_built_and_taken_over_while_searches_and_deletes_go_on(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_server.use_cases.segmenting.LOOK_S", 0.05)
    passages = await asyncio.to_thread(Passages, None, 20)
    await asyncio.to_thread(fill, tmp_path / "data", COLLECTION, passages, range(ROWS))
    query = passages.queries[0]
    async with serving(settings) as calls:
        await calls.level(ROWS // DOCUMENT_CHUNKS)
        exact = [await calls.numbers(each) for each in passages.queries]
        async with working(settings):
            building = asyncio.create_task(calls.built())
            while not building.done():
                assert len(await calls.numbers(query)) == 10
            await calls.level((await building).sequence)
        after = [await calls.numbers(each) for each in passages.queries]
        same = sum(len(set(one) & set(other)) for one, other in zip(exact, after, strict=True))
        assert same >= 0.9 * 10 * len(exact)
        index = await calls.index()
        assert (index.vector_count, index.exact_count, index.segment_count) == (ROWS, 0, 1)
        assert index.kind == collection_pb2.VECTOR_INDEX_KIND_SEGMENTS
        assert index.bytes_per_vector == pytest.approx(index.size_bytes / ROWS)
        gone = (await calls.found(query))[0].document
        await calls.delete(gone)
        assert gone not in {hit.document for hit in await calls.found(query, 100)}
        left = await calls.numbers(query)
        assert await calls.verify() == []
    snapshots = list((tmp_path / "data" / "views").glob("snap-*/vectors/*.hashed"))
    assert snapshots
    programs = Programs(tmp_path / "data")
    with programs.running("serve"):
        await asyncio.to_thread(programs.wait_until_level, LONG_S)
        assert [number_of(text) for text in await asyncio.to_thread(programs.search, query, COLLECTION)] == left
