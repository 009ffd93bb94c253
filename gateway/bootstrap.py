"""The composition root of the gateway: here alone it is decided what is used for what."""

import asyncio
import ipaddress
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from acervo.gateway.v1 import (
    edge_service_pb2,
    event_service_pb2,
    openai_service_pb2,
    text_service_pb2,
    upload_service_pb2,
)
from acervo.gateway.v1.edge_service_pb2_grpc import add_EdgeServiceServicer_to_server
from acervo.gateway.v1.event_service_pb2_grpc import add_EventServiceServicer_to_server
from acervo.gateway.v1.openai_service_pb2_grpc import add_OpenAiServiceServicer_to_server
from acervo.gateway.v1.text_service_pb2_grpc import add_TextServiceServicer_to_server
from acervo.gateway.v1.upload_service_pb2_grpc import add_UploadServiceServicer_to_server
from acervo.rag.v1 import (
    collection_service_pb2,
    content_service_pb2,
    document_service_pb2,
    embedding_service_pb2,
    ingest_service_pb2,
    job_pb2,
    job_service_pb2,
    queue_service_pb2,
    search_service_pb2,
    system_service_pb2,
)
from acervo.rag.v1.collection_service_pb2_grpc import add_CollectionServiceServicer_to_server
from acervo.rag.v1.content_service_pb2_grpc import add_ContentServiceServicer_to_server
from acervo.rag.v1.document_service_pb2_grpc import add_DocumentServiceServicer_to_server
from acervo.rag.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server
from acervo.rag.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from acervo.rag.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from acervo.rag.v1.queue_service_pb2_grpc import add_QueueServiceServicer_to_server
from acervo.rag.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from acervo.rag.v1.system_service_pb2_grpc import add_SystemServiceServicer_to_server
from gateway.adapters.postgres.outbox import PostgresOutbox
from gateway.adapters.postgres.outbox_work import PostgresOutboxRecords, PostgresOutboxWork
from gateway.adapters.rag_client.client import FIRST_CONTACT_S, RagClient
from gateway.adapters.rag_client.jobs import RagJobs
from gateway.adapters.sqlite.outbox import SqliteOutbox
from gateway.adapters.sqlite.outbox_work import SqliteOutboxRecords, SqliteOutboxWork
from gateway.api import translate
from gateway.api.accepting import Accepting
from gateway.api.collections import CollectionApi
from gateway.api.contents import ContentApi
from gateway.api.documents import DocumentApi
from gateway.api.edge import EdgeApi
from gateway.api.embedding import EmbeddingApi
from gateway.api.events import EventApi
from gateway.api.health import SystemHealth
from gateway.api.ingest import IngestApi
from gateway.api.job_pages import JobPages
from gateway.api.jobs import JobApi
from gateway.api.openai.service import OpenAiApi
from gateway.api.openapi.document import open_api
from gateway.api.queue import QueueApi
from gateway.api.search import SearchApi
from gateway.api.system import SystemApi
from gateway.api.texts import TextApi
from gateway.api.uploads import UploadApi
from gateway.domain.capacity import Capacity
from gateway.domain.texts import MAX_TEXTS_BYTES
from gateway.interceptors.order import layers
from gateway.ports import Outbox, OutboxRecords, OutboxWork
from gateway.settings import Settings
from gateway.use_cases.examining import Examining
from gateway.use_cases.following import Following
from gateway.use_cases.forwarding import Forwarding
from gateway.use_cases.keeping import Keeping
from gateway.use_cases.nudge import Nudge
from gateway.use_cases.steering import Steering
from gateway.use_cases.taking_in import TakingIn
from gateway.use_cases.verifying import Verifying
from serving import logs
from serving.server import Server, bind
from storage.blobs import BlobFolder
from storage.migrations import upgrade
from storage.object_blobs import ObjectBlobs
from storage.open_blobs import open_blobs
from storage.postgres import PostgresDatabase
from storage.postgres_migrations import upgrade as upgrade_postgres
from storage.profile import Embedded, Production, low_water_bytes
from storage.sqlite import Database

LOG = logs.get(__name__)
GIB = 1 << 30
LARGEST_REQUEST_BYTES = MAX_TEXTS_BYTES + (4 << 20)  # texts, and what stands around them
MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMA = "gateway"
CONTRACTS = (
    upload_service_pb2,
    text_service_pb2,
    event_service_pb2,
    edge_service_pb2,
    ingest_service_pb2,
    job_service_pb2,
    document_service_pb2,
    content_service_pb2,
    collection_service_pb2,
    queue_service_pb2,
    search_service_pb2,
    embedding_service_pb2,
    openai_service_pb2,
    system_service_pb2,
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that answers."""

    server: Server
    following: Following[job_pb2.Job]
    tasks: tuple[asyncio.Task[None], ...]

    async def failed(self) -> None:
        """Return never; raise what ended a task that must not end."""
        done, _ = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task

    async def stop(self, drain_s: float, grace_s: float) -> None:
        """Let uploads under way finish; streams end at once, their clients come back."""
        self.following.stop()
        await self.server.stop(drain_s, grace_s)


@dataclass(frozen=True, slots=True)
class _Store:
    """What is kept, as the chosen profile keeps it."""

    blobs: BlobFolder | ObjectBlobs
    outbox: Outbox
    work: OutboxWork
    records: OutboxRecords
    holder: str  # the name of this gateway among those that share the outbox
    disk: Path  # a folder on the disk that uploads may fill


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Store]:
    match settings.storage:
        case Embedded(folder):
            async with _embedded(folder) as store:
                yield store
        case Production() as production:
            async with _production(production, settings.near) as store:
                yield store
        case _:
            assert_never(settings.storage)


@asynccontextmanager
async def _embedded(folder: Path) -> AsyncIterator[_Store]:
    await asyncio.to_thread(_upgrade_embedded, folder)
    async with Database(folder / "gateway.db") as database:
        blobs = BlobFolder(folder / "blobs")
        work, records = SqliteOutboxWork(database), SqliteOutboxRecords(database)
        # There is one gateway: at its start it takes back what it held before.
        yield _Store(blobs, SqliteOutbox(database), work, records, "gateway", folder)


def _upgrade_embedded(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(folder / "gateway.db", MIGRATIONS)


@asynccontextmanager
async def _production(production: Production, near: Path) -> AsyncIterator[_Store]:
    await upgrade_postgres(production.postgres_url, SCHEMA, MIGRATIONS)
    holder = f"gateway-{secrets.token_hex(8)}"
    with open_blobs(production.blobs_url, near) as blobs:
        async with PostgresDatabase(production.postgres_url, SCHEMA, "acervo gateway") as database:
            work, records = PostgresOutboxWork(database), PostgresOutboxRecords(database)
            disk = near if isinstance(blobs, ObjectBlobs) else Path(production.blobs_url)
            yield _Store(blobs, PostgresOutbox(database), work, records, holder, disk)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Gateway]:
    """A gateway that answers and forwards, until the block ends.

    Raises PortTaken, NewerDatabase, apsw.Error, RefusedByDatabase, StorageUnavailable.
    """
    async with _opened(settings) as store, RagClient(settings.rag_servers) as client:
        capacity = Capacity(settings.max_upload_bytes, low_water_bytes(settings.min_free_bytes, store.disk))
        changed = Nudge()
        jobs = RagJobs(client)
        following = Following(store.outbox, jobs, translate.snapshot, changed)
        forwarding = Forwarding(store.work, jobs, changed, store.holder)
        services = [_service_name(contract) for contract in CONTRACTS]
        server = bind(settings.listen, layers(), services, LARGEST_REQUEST_BYTES)
        _serve_all(server, store, capacity, client, following, forwarding)
        _warn_if_open(settings.listen)
        await server.start()
        tasks = (
            asyncio.create_task(client.watch_health(), name="watch-health"),
            asyncio.create_task(forwarding.run(), name="forwarding"),
            asyncio.create_task(Keeping(store.records, store.blobs, time.time).run(), name="keeping"),
        )
        readiness = asyncio.create_task(_say_ready(server, client), name="say-ready")
        try:
            yield Gateway(server, following, tasks)
        finally:
            await server.grpc.stop(None)
            for task in (*tasks, readiness):
                task.cancel()
            await asyncio.gather(*tasks, readiness, return_exceptions=True)


async def _say_ready(server: Server, client: RagClient) -> None:
    """Uploads are taken without the rag_server, so that the wait for it has an end."""
    await client.first_contact(FIRST_CONTACT_S)
    await server.ready()


def _serve_all(
    server: Server,
    store: _Store,
    capacity: Capacity,
    client: RagClient,
    following: Following[job_pb2.Job],
    forwarding: Forwarding,
) -> None:
    taking_in = TakingIn(store.blobs, store.outbox, capacity, forwarding)
    accepting = Accepting(taking_in, client)
    steering = Steering(store.outbox, store.blobs, forwarding.changed, time.time)
    health = SystemHealth(Examining(store.records, store.blobs, capacity, time.time), client)
    verifying = Verifying(store.outbox, store.records, store.blobs, RagJobs(client), time.time)
    pages = JobPages(store.outbox, client)
    to = server.grpc
    add_UploadServiceServicer_to_server(UploadApi(taking_in, accepting), to)
    add_TextServiceServicer_to_server(TextApi(taking_in, accepting), to)
    add_EventServiceServicer_to_server(EventApi(following), to)
    add_EdgeServiceServicer_to_server(EdgeApi(health, open_api()), to)
    add_IngestServiceServicer_to_server(IngestApi(taking_in, accepting, store.work, client), to)
    add_JobServiceServicer_to_server(JobApi(following, steering, pages, client), to)
    add_DocumentServiceServicer_to_server(DocumentApi(steering, client), to)
    add_ContentServiceServicer_to_server(ContentApi(client), to)
    add_CollectionServiceServicer_to_server(CollectionApi(steering, client), to)
    add_QueueServiceServicer_to_server(QueueApi(client), to)
    add_SearchServiceServicer_to_server(SearchApi(client), to)
    add_EmbeddingServiceServicer_to_server(EmbeddingApi(client), to)
    add_OpenAiServiceServicer_to_server(OpenAiApi(client), to)
    add_SystemServiceServicer_to_server(SystemApi(health, verifying, client), to)


def _service_name(contract: object) -> str:
    (service,) = contract.DESCRIPTOR.services_by_name.values()  # type: ignore[attr-defined]  # a generated module
    return str(service.full_name)


def _warn_if_open(listen: str) -> None:
    host = listen.rpartition(":")[0].strip("[]")
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        LOG.warning("open to the network: anybody who reaches this address is let in", listen=listen)
