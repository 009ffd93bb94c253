"""Puts the serving process together."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from acervo.rag.v1 import (
    collection_service_pb2_grpc,
    document_service_pb2_grpc,
    embedding_service_pb2_grpc,
    ingest_service_pb2_grpc,
    job_service_pb2_grpc,
    search_service_pb2_grpc,
    system_service_pb2_grpc,
)
from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import ModelFolder, resolve
from rag_server.adapters.flock.slots import SlotLock
from rag_server.adapters.sqlite.changes import SqliteChangeLog
from rag_server.adapters.sqlite.documents import SqliteDocuments
from rag_server.adapters.sqlite.integrity import SqliteIntegrity
from rag_server.adapters.sqlite.jobs import SqliteJobs
from rag_server.adapters.sqlite.references import SqliteReferences
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.api.documents import CollectionApi, DocumentApi
from rag_server.api.embedding import EmbeddingApi
from rag_server.api.ingest import IngestApi
from rag_server.api.jobs import JobApi
from rag_server.api.search import SearchApi
from rag_server.api.system import SystemApi
from rag_server.bootstrap.lending import lending, open_reranker
from rag_server.bootstrap.store import SERVE, Store, open_store
from rag_server.domain.ranking import DENSE_WEIGHTS
from rag_server.ports import Wakeups
from rag_server.settings import Settings
from rag_server.use_cases.admitting import Admitting
from rag_server.use_cases.deleting import Deleting
from rag_server.use_cases.examining import Examining
from rag_server.use_cases.maintaining import Maintaining
from rag_server.use_cases.searching import SEARCH_THREADS, Searching
from rag_server.use_cases.watching import Watching
from rag_server.views.follower import Follower
from rag_server.views.integrity import IndexIntegrity
from rag_server.views.keeping import Keeping
from rag_server.views.manifest import ModelOfVectors
from rag_server.views.pair import Views
from rag_server.views.snapshot import Snapshots
from serving import logs
from serving.interceptors import Around, Checked
from serving.layers import access_logged, errors_to_status, identified, valid_request
from serving.server import Server, bind
from storage.profile import low_water_bytes

LOG = logs.get(__name__)
VIEWS_LATE_S = 30.0
NUDGE_WAIT_S = 60.0  # the follower polls by itself, more often
SERVICES = tuple(
    f"acervo.rag.v1.{name}Service"
    for name in ("Ingest", "Job", "Document", "Collection", "Search", "System", "Embedding")
)
INTERCEPTORS: Sequence[grpc.aio.ServerInterceptor] = (
    Around(identified),
    Around(access_logged),
    Around(errors_to_status),
    Checked(valid_request),
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services are made of."""

    settings: Settings
    model: ModelFolder
    store: Store
    follower: Follower
    searching: Searching
    embedding: EmbeddingApi


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Server]:
    """A server that answers calls; it says SERVING once its views are level with the store.

    Leaving lets calls under way finish. Raises what opening the store or the model raises, and PortTaken.
    """
    model = resolve(settings.model, settings.models_folder)
    embedder = await asyncio.to_thread(FastembedEmbedder, model, 1)
    reranker = await asyncio.to_thread(open_reranker, settings)
    async with open_store(settings, model.name, embedder, SERVE) as store:
        log = SqliteChangeLog(store.database)
        follower = _follower(settings, log, embedder)
        with (
            ThreadPoolExecutor(SEARCH_THREADS, thread_name_prefix="search") as executor,
            lending(model, embedder, reranker) as embedding,
        ):
            searching = Searching(follower, log, embedder, DENSE_WEIGHTS[embedder.kind], executor)
            parts = Parts(settings, model, store, follower, searching, embedding)
            server = bind(settings.listen, INTERCEPTORS, SERVICES)
            _add_services(server, parts)
            follower.start()
            try:
                async with asyncio.TaskGroup() as beside:
                    tasks = [beside.create_task(work, name=name) for name, work in _beside(parts, server)]
                    await server.start()
                    yield server
                    await server.stop()
                    for task in tasks:
                        task.cancel()
            finally:
                await asyncio.to_thread(follower.stop)


def _beside(parts: Parts, server: Server) -> list[tuple[str, Coroutine[None, None, None]]]:
    """What goes on beside answering calls. If one of them breaks, the process ends and is started again."""
    store = parts.store
    jobs = SqliteJobs(store.database, store.pipeline)
    maintaining = Maintaining(jobs, store.blobs, SqliteReferences(store.database), store.wakeups)
    return [
        ("ready", _ready(parts, server)),
        ("nudges", _pass_nudges_on(store.wakeups, parts.follower)),
        ("maintenance", maintaining.run()),
    ]


async def _ready(parts: Parts, server: Server) -> None:
    """Say SERVING once the views have what the store had at the start."""
    last = SqliteChangeLog(parts.store.database).last_sequence()
    while not await parts.follower.wait_for(last, VIEWS_LATE_S):
        LOG.warning("views are not level yet", applied=parts.follower.applied_sequence, last=last)
    await server.ready()
    LOG.info("ready", sequence=last, model=parts.model.name)


async def _pass_nudges_on(wakeups: Wakeups, follower: Follower) -> None:
    while True:
        await wakeups.wait(frozenset({"changes"}), NUDGE_WAIT_S)
        follower.poke()


def _follower(settings: Settings, log: SqliteChangeLog, embedder: FastembedEmbedder) -> Follower:
    folder = settings.storage.folder / "views"
    views = Views(FaissView(embedder.dimensions), TantivyView(folder / "work"))
    snapshots = Snapshots(folder, ModelOfVectors(embedder.fingerprint, embedder.dimensions))
    return Follower(log, views, Keeping(snapshots))


def _add_services(server: Server, parts: Parts) -> None:
    settings, store, follower = parts.settings, parts.store, parts.follower
    log = SqliteChangeLog(store.database)
    jobs = SqliteJobs(store.database, store.pipeline)
    documents = SqliteDocuments(store.database)
    min_free_bytes = low_water_bytes(settings.min_free_bytes, settings.storage.folder)
    admitting = Admitting(jobs, store.blobs, store.wakeups, settings.max_upload_bytes, min_free_bytes)
    watching = Watching(jobs, follower, store.wakeups)
    deleting = Deleting(documents, follower, store.wakeups)
    examining = Examining(
        jobs,
        log,
        follower,
        store.blobs,
        SlotLock(settings.storage.folder),
        (SqliteIntegrity(store.database), IndexIntegrity(log, follower)),
        parts.model.name,
        min_free_bytes,
    )
    to = server.grpc
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(IngestApi(admitting, watching, store.blobs), to)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(JobApi(jobs, watching, store.wakeups), to)
    document_service_pb2_grpc.add_DocumentServiceServicer_to_server(DocumentApi(documents, deleting), to)
    collection_service_pb2_grpc.add_CollectionServiceServicer_to_server(CollectionApi(documents, deleting), to)
    search_service_pb2_grpc.add_SearchServiceServicer_to_server(SearchApi(parts.searching), to)
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(SystemApi(examining), to)
    embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server(parts.embedding, to)
