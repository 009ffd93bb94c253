"""A real server over true small parts: memory store, real blob folder, views moved by the test."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from acervo.rag.v1 import (
    collection_service_pb2_grpc,
    content_service_pb2_grpc,
    document_service_pb2_grpc,
    ingest_service_pb2_grpc,
    job_service_pb2_grpc,
    queue_service_pb2_grpc,
)
from acervo.rag.v1 import ingest_service_pb2 as ingest_pb
from rag_server.api.contents import ContentApi
from rag_server.api.documents import CollectionApi, DocumentApi
from rag_server.api.ingest import IngestApi
from rag_server.api.jobs import JobApi
from rag_server.api.queue import QueueApi
from rag_server.use_cases.admitting import Admitting
from rag_server.use_cases.deleting import Deleting
from rag_server.use_cases.fetching import Fetching
from rag_server.use_cases.listing import Listing
from rag_server.use_cases.mass_deleting import MassDeleting
from rag_server.use_cases.noticing import Noticing
from rag_server.use_cases.watching import Watching
from serving.interceptors import Around, Checked
from serving.layers import errors_to_status, identified, valid_request
from serving.server import bind
from storage.blobs import BlobFolder
from tests.contracts.ingesting import claim, finish
from tests.fakes.following_indexes import FollowingIndexes
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.store_ports import StorePorts, memory_ports

MAX_UPLOAD_BYTES = 1_000_000


@dataclass(frozen=True)
class Served:
    store: StorePorts
    indexes: FollowingIndexes
    blobs: BlobFolder
    channel: grpc.aio.Channel

    @property
    def ingest(self) -> "ingest_service_pb2_grpc.IngestServiceAsyncStub":
        return ingest_service_pb2_grpc.IngestServiceStub(self.channel)

    async def upload(
        self, content: bytes, file_name: str = "a.txt", *, collection: str = "", request_id: str = ""
    ) -> ingest_pb.IngestResponse:
        return await self.ingest.Ingest(messages(content, file_name, collection=collection, request_id=request_id))

    async def work_off(self, content: str) -> int:
        """What the worker and the views would do with the next job."""
        sequence = await finish(self.store, await claim(self.store), content)
        await self.indexes.apply(sequence)
        return sequence


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    store, indexes, wakeups, blobs = memory_ports(), FollowingIndexes(), MemoryWakeups(), BlobFolder(tmp_path)
    server = bind("127.0.0.1:0", [Around(identified), Around(errors_to_status), Checked(valid_request)], [])
    admitting = Admitting(store.jobs, blobs, wakeups, MAX_UPLOAD_BYTES, 0)
    noticing, deleting = Noticing(store.jobs, wakeups), Deleting(store.documents, indexes, wakeups)
    watching = Watching(store.jobs, indexes, noticing)
    to = server.grpc
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(IngestApi(admitting, watching, blobs), to)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(JobApi(store.jobs, watching, wakeups), to)
    mass_deleting = MassDeleting(store.jobs, store.documents, wakeups)
    document_api = DocumentApi(store.documents, Listing(store.contents), deleting, mass_deleting)
    content_api = ContentApi(store.contents, Fetching(store.contents, blobs))
    document_service_pb2_grpc.add_DocumentServiceServicer_to_server(document_api, to)
    content_service_pb2_grpc.add_ContentServiceServicer_to_server(content_api, to)
    collection_api = CollectionApi(store.documents, deleting, indexes)
    collection_service_pb2_grpc.add_CollectionServiceServicer_to_server(collection_api, to)
    queue_service_pb2_grpc.add_QueueServiceServicer_to_server(QueueApi(store.queueing, wakeups), to)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel, asyncio.TaskGroup() as beside:
        running = beside.create_task(noticing.run())
        yield Served(store, indexes, blobs, channel)
        running.cancel()
    await server.stop(drain_s=0, grace_s=0)


async def messages(
    content: bytes, file_name: str, *, collection: str = "", request_id: str = "", end: bool = True
) -> AsyncIterator[ingest_pb.IngestRequest]:
    """A whole upload, or one that breaks off before its end message."""
    header = ingest_pb.IngestHeader(file_name=file_name, collection=collection, request_id=request_id)
    yield ingest_pb.IngestRequest(header=header)
    for start in range(0, len(content), 100_000):
        yield ingest_pb.IngestRequest(piece=content[start : start + 100_000])
    if end:
        said = ingest_pb.IngestEnd(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        yield ingest_pb.IngestRequest(end=said)
