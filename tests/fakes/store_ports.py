"""The ports of the store as one bundle: over a real SQLite file, or in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import rag_server.migrations
from rag_server.adapters.sqlite.batches import SqliteBatches
from rag_server.adapters.sqlite.changes import SqliteChangeLog
from rag_server.adapters.sqlite.contents import SqliteContents
from rag_server.adapters.sqlite.documents import SqliteDocuments
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
from rag_server.ports import ChangeLog, Documents, Jobs, References, Slot
from rag_server.queue_ports import Queueing
from rag_server.segment_ports import Segments
from rag_server.staging_ports import Staging
from storage.migrations import upgrade
from storage.sqlite import Database
from tests.fakes.memory_batches import MemoryBatches
from tests.fakes.memory_contents import MemoryContents
from tests.fakes.memory_documents import MemoryChangeLog, MemoryDocuments, MemoryStaging
from tests.fakes.memory_queue import MemoryJobs, MemoryQueueing, MemorySlot
from tests.fakes.memory_references import MemoryReferences
from tests.fakes.memory_segments import MemorySegments
from tests.fakes.memory_store import MemoryStore

MIGRATIONS = Path(rag_server.migrations.__path__[0])
PIPELINE = Pipeline("1", "fingerprint-of-the-test-model")
DIMENSIONS = 8


@dataclass(frozen=True, slots=True)
class StorePorts:
    jobs: Jobs
    slot: Slot
    staging: Staging
    documents: Documents
    change_log: ChangeLog
    batches: Batches
    contents: Contents
    segments: Segments
    queueing: Queueing
    references: References


def memory_ports(pipeline: Pipeline = PIPELINE) -> StorePorts:
    store = MemoryStore(pipeline)
    return StorePorts(
        MemoryJobs(store),
        MemorySlot(store),
        MemoryStaging(store),
        MemoryDocuments(store),
        MemoryChangeLog(store),
        MemoryBatches(store),
        MemoryContents(store),
        MemorySegments(store),
        MemoryQueueing(store),
        MemoryReferences(store),
    )


def sqlite_ports(database: Database, pipeline: Pipeline = PIPELINE) -> StorePorts:
    return StorePorts(
        SqliteJobs(database, pipeline),
        SqliteSlot(database),
        SqliteStaging(database, pipeline),
        SqliteDocuments(database),
        SqliteChangeLog(database),
        SqliteBatches(database, pipeline),
        SqliteContents(database),
        SqliteSegments(database),
        SqliteQueueing(database),
        SqliteReferences(database),
    )


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """A database at the newest revision, with the test model pinned."""
    upgrade(path, MIGRATIONS)
    async with Database(path) as database:
        await pin_model(database, "test-model", PIPELINE.model_fingerprint, DIMENSIONS)
        yield database
