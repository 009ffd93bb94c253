"""Opens what serve and work share: the store of the chosen profile, the blobs and the nudges."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rag_server import migrations
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.sockets.wakeups import SocketWakeups
from rag_server.adapters.sqlite.model_pin import pin_model
from rag_server.domain.pipeline import Pipeline
from rag_server.settings import Settings
from storage.blobs import BlobFolder
from storage.migrations import upgrade
from storage.sqlite import Database

PIPELINE_VERSION = "2"  # raised when extraction or chunking give other results
MIGRATIONS = Path(migrations.__file__).parent
SERVE = "serve"
WORK = "work"


@dataclass(frozen=True, slots=True)
class Store:
    """The open store of one process."""

    database: Database
    blobs: BlobFolder
    wakeups: SocketWakeups
    pipeline: Pipeline


@asynccontextmanager
async def open_store(
    settings: Settings, model_name: str, embedder: FastembedEmbedder, role: str
) -> AsyncIterator[Store]:
    """The store, at the newest tables and tied to the model. `role` is SERVE or WORK; the worker folds the WAL back.

    Raises NewerDatabase, OutdatedSqlite, ModelMismatch, apsw.Error.
    """
    folder = settings.storage.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "rag_server.db"
    upgrade(path, MIGRATIONS)
    async with Database(path, checkpoints=role == WORK) as database:
        await pin_model(database, model_name, embedder.fingerprint, embedder.dimensions)
        wakeups = SocketWakeups(folder, role, (SERVE, WORK))
        try:
            pipeline = Pipeline(PIPELINE_VERSION, embedder.fingerprint)
            yield Store(database, BlobFolder(folder / "blobs"), wakeups, pipeline)
        finally:
            wakeups.close()
