"""Puts the worker together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.adapters.flock.slots import SlotLock
from rag_server.adapters.sqlite.slot import SqliteSlot
from rag_server.adapters.sqlite.staging import SqliteStaging
from rag_server.bootstrap.low_priority import low_priority_executor
from rag_server.bootstrap.store import WORK, open_store
from rag_server.domain.chunking import ChunkLimits
from rag_server.domain.extraction import ExtractionLimits
from rag_server.settings import Settings
from rag_server.worker.chunker import Chunker
from rag_server.worker.embedding import Embedding
from rag_server.worker.ingestion import Ingestion
from rag_server.worker.loop import Worker

SLOT = "slot-1"


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """The worker of this machine's slot. Raises what opening the store or the model raises, and SlotTaken."""
    SlotLock(settings.storage.folder).take(SLOT)
    executor = low_priority_executor("embed")
    model = resolve(settings.model, settings.models_folder)
    embedder = await asyncio.get_running_loop().run_in_executor(
        executor, FastembedEmbedder, model, settings.embed_threads
    )
    async with open_store(settings, model.name, embedder, WORK) as store:
        staging = SqliteStaging(store.database, store.pipeline)
        extractor = ExtractorProcess(settings.pdf_engine)
        limits = ChunkLimits.within(embedder.tokenizer.max_tokens)
        ingestion = Ingestion(
            staging=staging,
            blobs=store.blobs,
            extractor=extractor,
            chunker=Chunker(embedder.tokenizer, limits, executor),
            embedding=Embedding(embedder, staging, executor),
            limits=ExtractionLimits(max_file_bytes=settings.max_upload_bytes),
        )
        try:
            yield Worker(SLOT, SqliteSlot(store.database), staging, ingestion, store.wakeups)
        finally:
            await extractor.close()
            executor.shutdown(wait=False, cancel_futures=True)
