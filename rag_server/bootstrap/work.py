"""Puts the worker together."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.adapters.flock.slots import SlotLock
from rag_server.adapters.py3langid.language import language_of
from rag_server.adapters.segment_process.builder import SegmentProcesses
from rag_server.adapters.text.items import read_text
from rag_server.bootstrap.extractor import extraction_limits, running_extractor
from rag_server.bootstrap.low_priority import low_priority_executor
from rag_server.bootstrap.store import WORK, open_store
from rag_server.domain.chunking import ChunkLimits
from rag_server.domain.health import WorkerState
from rag_server.domain.job import JobKind
from rag_server.domain.ranking import ModelKind
from rag_server.domain.segment import SegmentLimits
from rag_server.settings import Settings
from rag_server.worker.chunker import Chunker
from rag_server.worker.deletion import Deletion
from rag_server.worker.embedding import Embedding
from rag_server.worker.ingestion import Ingestion
from rag_server.worker.loop import Worker
from rag_server.worker.segmentation import Segmentation
from rag_server.worker.texts import TextsIngestion
from serving import logs

LOG = logs.get(__name__)


@asynccontextmanager
async def worker(settings: Settings, limits: SegmentLimits | None = None) -> AsyncIterator[Worker]:
    """The worker of this machine's slot. `limits` says which segments it builds.

    Raises SlotTaken, and what starting the extractor and opening the model or the store raises.
    """
    slot = settings.slot
    slots = SlotLock(settings.folder)
    slots.take(slot)
    async with running_extractor(settings) as extractor:
        slots.tell(WorkerState(slot, os.getpid(), extractor.isolation))
        LOG.info("extractor runs", isolation=extractor.isolation)
        executor = low_priority_executor("embed")
        try:
            model = resolve(settings.model, settings.models_folder)
            embedder = await asyncio.get_running_loop().run_in_executor(
                executor, FastembedEmbedder, model, settings.embed_threads
            )
            async with open_store(settings, model.name, embedder, WORK) as store:
                ingestion = Ingestion(
                    staging=store.staging,
                    blobs=store.blobs,
                    extractor=extractor,
                    chunker=Chunker(embedder.tokenizer, ChunkLimits.within(embedder.tokenizer.max_tokens), executor),
                    embedding=Embedding(embedder, store.staging, executor, _look_from(embedder)),
                    limits=extraction_limits(settings),
                )
                texts = TextsIngestion(
                    batches=store.batches,
                    blobs=store.blobs,
                    read=read_text,
                    language_of=language_of,
                    chunker=ingestion.chunker,
                    embedding=ingestion.embedding,
                    executor=executor,
                )
                deletion = Deletion(texts.batches, store.contents, store.wakeups)
                builder = SegmentProcesses(embedder.dimensions, embedder.fingerprint)
                segmentation = Segmentation(store.segments, store.slot, store.blobs, builder, limits or SegmentLimits())
                works = {
                    JobKind.INGEST: ingestion.carry_out,
                    JobKind.TEXTS: texts.carry_out,
                    JobKind.DELETE: deletion.carry_out,
                    JobKind.MAINTENANCE: segmentation.carry_out,
                }
                try:
                    yield Worker(slot, store.slot, store.staging, works, store.wakeups)
                finally:
                    await segmentation.close()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def _look_from(embedder: FastembedEmbedder) -> int:
    """A static model makes some vectors sooner than a store is asked for them."""
    return 8 if embedder.kind is ModelKind.STATIC else 1
