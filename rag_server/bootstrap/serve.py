"""Puts the serving process together."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import grpc

from acervo.rag.v1 import (
    collection_service_pb2_grpc,
    content_service_pb2_grpc,
    document_service_pb2_grpc,
    embedding_service_pb2_grpc,
    ingest_service_pb2_grpc,
    job_service_pb2_grpc,
    queue_service_pb2_grpc,
    search_service_pb2_grpc,
    system_service_pb2_grpc,
)
from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import ModelFolder, resolve
from rag_server.adapters.front_process.process import FrontOrder, FrontProcess
from rag_server.adapters.postings.view import PostingsView
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.api.contents import ContentApi
from rag_server.api.documents import CollectionApi, DocumentApi
from rag_server.api.embedding import EmbeddingApi
from rag_server.api.ingest import IngestApi
from rag_server.api.jobs import JobApi
from rag_server.api.queue import QueueApi
from rag_server.api.search import SearchApi
from rag_server.api.search_line import SearchLine
from rag_server.api.system import SystemApi
from rag_server.bootstrap.lending import lending, open_reranker
from rag_server.bootstrap.searching import SearchModels, searching
from rag_server.bootstrap.store import SERVE, Store, StoredVectors, open_store
from rag_server.domain.segment import SegmentLimits
from rag_server.index_ports import Indexes
from rag_server.ports import Wakeups
from rag_server.settings import Settings
from rag_server.use_cases.admitting import Admitting
from rag_server.use_cases.deleting import Deleting
from rag_server.use_cases.examining import Examining
from rag_server.use_cases.fetching import Fetching
from rag_server.use_cases.levelling import Levelling
from rag_server.use_cases.listing import Listing
from rag_server.use_cases.maintaining import Maintaining
from rag_server.use_cases.mass_deleting import MassDeleting
from rag_server.use_cases.noticing import Noticing
from rag_server.use_cases.searching import SEARCH_THREADS, Searching
from rag_server.use_cases.segmenting import Segmenting
from rag_server.use_cases.watching import Watching
from rag_server.views.follower import Follower
from rag_server.views.integrity import IndexIntegrity
from rag_server.views.keeping import Keeping
from rag_server.views.manifest import ModelOfVectors
from rag_server.views.snapshot import Snapshots
from rag_server.views.united import Views
from serving import logs
from serving.interceptors import Around, Checked
from serving.layers import access_logged, errors_to_status, identified, valid_request
from serving.passing import methods_with_streamed_requests
from serving.server import GRACE_S, Server, bind
from storage.profile import low_water_bytes

LOG = logs.get(__name__)
VIEWS_LATE_S = 30.0
INNER = "127.0.0.1:0"  # where a server listens that has a front
NUDGE_WAIT_S = 60.0  # the follower polls by itself, more often
SERVICES = tuple(
    f"acervo.rag.v1.{name}Service"
    for name in ("Ingest", "Job", "Document", "Content", "Collection", "Queue", "Search", "System", "Embedding")
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services are made of."""

    settings: Settings
    model: ModelFolder
    store: Store
    follower: Follower
    searching: Searching
    watching: Watching
    embedding: EmbeddingApi
    limits: SegmentLimits


@asynccontextmanager
async def served(
    settings: Settings, limits: SegmentLimits | None = None, *, fronted: bool = False
) -> AsyncIterator[Server]:
    """A server that answers calls; it says SERVING once its views are level with the store.

    `limits` says when it asks for compressed segments. Where it is `fronted`, a process of its own speaks gRPC with
    clients, and searches need not share the interpreter with that.

    Leaving lets calls under way finish. Raises what opening the store or the model raises, and PortTaken.
    """
    model = resolve(settings.model, settings.models_folder)
    embedder = await asyncio.to_thread(FastembedEmbedder, model, 1)
    reranker = await asyncio.to_thread(open_reranker, settings)
    async with open_store(settings, model.name, embedder, SERVE) as store:
        follower = _follower(settings, store, embedder)
        with (
            ThreadPoolExecutor(SEARCH_THREADS, thread_name_prefix="search") as executor,
            lending(model, embedder, reranker) as embedding,
        ):
            models = SearchModels(model.name, embedder.kind, embedder, reranker)
            search = searching(follower, store.log, models, executor)
            noticing = Noticing(store.jobs, store.wakeups)
            watching = Watching(store.jobs, _told_by(follower, store), noticing)
            parts = Parts(settings, model, store, follower, search, watching, embedding, limits or SegmentLimits())
            server = bind(INNER if fronted else settings.listen, _layers(), SERVICES)
            _add_services(server, parts)
            follower.start()
            try:
                async with asyncio.TaskGroup() as beside:
                    tasks = [beside.create_task(work, name=name) for name, work in _beside(parts, server)]
                    await server.start()
                    front = await _front(parts, server) if fronted else None
                    if front is not None:
                        tasks.append(beside.create_task(front.keep(), name="front"))
                    yield server if front is None else replace(server, port=front.port)
                    watching.stopping.set()
                    await server.drain()
                    if front is not None:  # clients are its own: it ends their calls first
                        await front.stop()
                    await server.grpc.stop(GRACE_S)
                    for task in tasks:
                        task.cancel()
            finally:
                await asyncio.to_thread(follower.stop)


def _layers() -> list[grpc.aio.ServerInterceptor]:
    """The layers of every call, outermost first."""
    return [Around(identified), Around(access_logged), Around(errors_to_status), Checked(valid_request)]


def _beside(parts: Parts, server: Server) -> list[tuple[str, Coroutine[None, None, None]]]:
    """What goes on beside answering calls. If one of them breaks, the process ends and is started again."""
    store = parts.store
    maintaining = Maintaining(store.jobs, store.blobs, store.references, store.wakeups)
    if store.vectors is None:
        of_vectors = ("segments", Segmenting(parts.follower, store.segments, store.wakeups, parts.limits).run())
    else:
        of_vectors = ("vector index", _index_when_level(parts, store.vectors))
    return [
        ("ready", _ready(parts, server)),
        ("noticing", parts.watching.noticing.run()),
        ("nudges", _pass_nudges_on(store.wakeups, parts.follower)),
        ("maintenance", maintaining.run()),
        of_vectors,
    ]


async def _front(parts: Parts, server: Server) -> FrontProcess:
    """Raises PortTaken."""
    inner, listen = f"127.0.0.1:{server.port}", parts.settings.listen
    line = SearchLine(SearchApi(parts.searching))
    streamed = methods_with_streamed_requests(SERVICES)
    front = FrontProcess(FrontOrder(listen, inner, streamed, parts.settings.log_level), line.answer)
    await front.start()
    return front


async def _ready(parts: Parts, server: Server) -> None:
    """Say SERVING once the views have what the store had at the start."""
    last = await _level(parts)
    await server.ready()
    LOG.info("ready", sequence=last, model=parts.model.name)
    if isinstance(parts.watching.indexes, Levelling):
        await parts.watching.indexes.tell()


def _told_by(follower: Follower, store: Store) -> Indexes:
    """What a job must have reached to be told as found."""
    return follower if store.replicas is None else Levelling(follower, store.replicas)


async def _index_when_level(parts: Parts, vectors: StoredVectors) -> None:
    """An index is made of rows that are there much sooner than it takes them one by one."""
    await _level(parts)
    await vectors.keep_index()


async def _level(parts: Parts) -> int:
    """The sequence that the store had at the start, once the views have it."""
    last = await asyncio.to_thread(parts.store.log.last_sequence)
    while not await parts.follower.wait_patiently(last, VIEWS_LATE_S):
        LOG.warning("views are not level yet", applied=parts.follower.applied_sequence, last=last)
    return last


async def _pass_nudges_on(wakeups: Wakeups, follower: Follower) -> None:
    while True:
        await wakeups.wait(frozenset({"changes"}), NUDGE_WAIT_S)
        follower.poke()


def _follower(settings: Settings, store: Store, embedder: FastembedEmbedder) -> Follower:
    folder = settings.folder / "views"
    vectors = FaissView(embedder.dimensions) if store.vectors is None else store.vectors.view
    views = Views(vectors, TantivyView(folder / "work"), PostingsView(), store.blobs.path)
    snapshots = Snapshots(folder, ModelOfVectors(embedder.fingerprint, embedder.dimensions))
    return Follower(store.log, views, Keeping(snapshots))


def _add_services(server: Server, parts: Parts) -> None:
    settings, store, follower = parts.settings, parts.store, parts.follower
    log, jobs, documents = store.log, store.jobs, store.documents
    min_free_bytes = low_water_bytes(settings.min_free_bytes, settings.folder)
    admitting = Admitting(jobs, store.blobs, store.wakeups, settings.max_upload_bytes, min_free_bytes)
    watching = parts.watching
    deleting = Deleting(documents, follower, store.wakeups)
    examining = Examining(
        jobs,
        store.queueing,
        log,
        follower,
        store.blobs,
        store.workers,
        (store.integrity, IndexIntegrity(log, follower)),
        parts.model.name,
        min_free_bytes,
    )
    to = server.grpc
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(IngestApi(admitting, watching, store.blobs), to)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(JobApi(jobs, watching, store.wakeups), to)
    contents = store.contents
    mass_deleting = MassDeleting(jobs, documents, store.wakeups)
    document_api = DocumentApi(documents, Listing(contents), deleting, mass_deleting)
    content_api = ContentApi(contents, Fetching(contents, store.blobs))
    document_service_pb2_grpc.add_DocumentServiceServicer_to_server(document_api, to)
    content_service_pb2_grpc.add_ContentServiceServicer_to_server(content_api, to)
    collection_api = CollectionApi(documents, deleting, follower)
    collection_service_pb2_grpc.add_CollectionServiceServicer_to_server(collection_api, to)
    queue_service_pb2_grpc.add_QueueServiceServicer_to_server(QueueApi(store.queueing, store.wakeups), to)
    search_service_pb2_grpc.add_SearchServiceServicer_to_server(SearchApi(parts.searching), to)
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(SystemApi(examining), to)
    embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server(parts.embedding, to)
