"""Opens what serve and work share: the store of the chosen profile, the blobs and the nudges."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from rag_server import migrations
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.flock.slots import SlotLock
from rag_server.adapters.sockets.wakeups import SocketWakeups
from rag_server.adapters.sqlite.batches import SqliteBatches
from rag_server.adapters.sqlite.changes import SqliteChangeLog
from rag_server.adapters.sqlite.contents import SqliteContents
from rag_server.adapters.sqlite.documents import SqliteDocuments
from rag_server.adapters.sqlite.integrity import SqliteIntegrity
from rag_server.adapters.sqlite.jobs import SqliteJobs
from rag_server.adapters.sqlite.model_pin import pin_model
from rag_server.adapters.sqlite.queueing import SqliteQueueing
from rag_server.adapters.sqlite.references import SqliteReferences
from rag_server.adapters.sqlite.segments import SqliteSegments
from rag_server.adapters.sqlite.slot import SqliteSlot
from rag_server.adapters.sqlite.staging import SqliteStaging
from rag_server.batch_ports import Batches
from rag_server.document_ports import Contents
from rag_server.domain.pipeline import Pipeline
from rag_server.index_ports import Replicas, VectorView
from rag_server.ports import Blobs, ChangeLog, Documents, Integrity, Jobs, References, Slot, Wakeups, Workers
from rag_server.queue_ports import Queueing
from rag_server.segment_ports import Segments
from rag_server.settings import Settings
from rag_server.staging_ports import Staging
from storage.blobs import BlobFolder
from storage.migrations import upgrade
from storage.profile import Embedded, Production
from storage.sqlite import Database

PIPELINE_VERSION = "2"  # raised when extraction or chunking give other results
MIGRATIONS = Path(migrations.__file__).parent
SERVE = "serve"
WORK = "work"


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """Vectors that are searched where the store is."""

    view: VectorView
    keep_index: Callable[[], Coroutine[None, None, None]]  # to be run beside, once the view is level


@dataclass(frozen=True, slots=True)
class Store:
    """The open store of one process."""

    jobs: Jobs
    slot: Slot
    queueing: Queueing
    staging: Staging
    batches: Batches
    documents: Documents
    contents: Contents
    log: ChangeLog
    references: References
    integrity: Integrity
    segments: Segments
    blobs: Blobs
    wakeups: Wakeups
    workers: Workers
    replicas: Replicas | None  # None: there is one server
    vectors: StoredVectors | None = None  # None: they are searched in memory


@asynccontextmanager
async def open_store(
    settings: Settings, model_name: str, embedder: FastembedEmbedder, role: str
) -> AsyncIterator[Store]:
    """The store, at the newest tables and tied to the model. `role` is SERVE or WORK; the worker folds the WAL back.

    Raises NewerDatabase, OutdatedSqlite, RefusedByDatabase, ModelMismatch, StorageUnavailable, apsw.Error.
    """
    match settings.storage:
        case Embedded(folder):
            async with _embedded(folder, model_name, embedder, role) as store:
                yield store
        case Production() as production:
            from rag_server.bootstrap.production import Opening, open_production  # noqa: PLC0415 - slow to load, needed here only

            where = Opening(settings.near, role, role == SERVE and settings.vectors == "pgvector")
            async with open_production(production, where, model_name, embedder) as store:
                yield store
        case _:
            assert_never(settings.storage)


@asynccontextmanager
async def _embedded(folder: Path, model_name: str, embedder: FastembedEmbedder, role: str) -> AsyncIterator[Store]:
    path = folder / "rag_server.db"
    await asyncio.to_thread(_upgrade, path)
    async with Database(path, checkpoints=role == WORK) as database:
        await pin_model(database, model_name, embedder.fingerprint, embedder.dimensions)
        pipeline = Pipeline(PIPELINE_VERSION, embedder.fingerprint)
        wakeups = SocketWakeups(folder, role, (SERVE, WORK))
        try:
            yield Store(
                jobs=SqliteJobs(database, pipeline),
                slot=SqliteSlot(database),
                queueing=SqliteQueueing(database),
                segments=SqliteSegments(database),
                staging=SqliteStaging(database, pipeline),
                batches=SqliteBatches(database, pipeline),
                documents=SqliteDocuments(database),
                contents=SqliteContents(database),
                log=SqliteChangeLog(database),
                references=SqliteReferences(database),
                integrity=SqliteIntegrity(database),
                blobs=BlobFolder(folder / "blobs"),
                wakeups=wakeups,
                workers=SlotLock(folder),
                replicas=None,
            )
        finally:
            wakeups.close()


def _upgrade(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(path, MIGRATIONS)
