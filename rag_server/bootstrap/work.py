"""Puts the worker together."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.adapters.flock.slots import SlotLock
from rag_server.adapters.sqlite.slot import SqliteSlot
from rag_server.adapters.sqlite.staging import SqliteStaging
from rag_server.bootstrap.extractor import extraction_limits, running_extractor
from rag_server.bootstrap.low_priority import low_priority_executor
from rag_server.bootstrap.store import WORK, open_store
from rag_server.domain.chunking import ChunkLimits
from rag_server.domain.health import WorkerState
from rag_server.settings import Settings
from rag_server.worker.chunker import Chunker
from rag_server.worker.embedding import Embedding
from rag_server.worker.ingestion import Ingestion
from rag_server.worker.loop import Worker
from serving import logs

LOG = logs.get(__name__)
SLOT = "slot-1"


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """The worker of this machine's slot.

    Raises SlotTaken, and what starting the extractor and opening the model or the store raises.
    """
    slots = SlotLock(settings.storage.folder)
    slots.take(SLOT)
    async with running_extractor(settings) as extractor:
        slots.tell(WorkerState(SLOT, os.getpid(), extractor.isolation))
        LOG.info("extractor runs", isolation=extractor.isolation)
        executor = low_priority_executor("embed")
        try:
            model = resolve(settings.model, settings.models_folder)
            embedder = await asyncio.get_running_loop().run_in_executor(
                executor, FastembedEmbedder, model, settings.embed_threads
            )
            async with open_store(settings, model.name, embedder, WORK) as store:
                staging = SqliteStaging(store.database, store.pipeline)
                ingestion = Ingestion(
                    staging=staging,
                    blobs=store.blobs,
                    extractor=extractor,
                    chunker=Chunker(embedder.tokenizer, ChunkLimits.within(embedder.tokenizer.max_tokens), executor),
                    embedding=Embedding(embedder, staging, executor),
                    limits=extraction_limits(settings),
                )
                yield Worker(SLOT, SqliteSlot(store.database), staging, ingestion, store.wakeups)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
