"""A whole worker over true small parts, for tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uuid_utils
from numpy.typing import NDArray

from rag_server.adapters.text.items import read_text
from rag_server.domain.chunking import ChunkLimits
from rag_server.domain.extraction import ExtractionLimits
from rag_server.domain.job import Job, JobKind, Order
from rag_server.worker.chunker import Chunker
from rag_server.worker.deletion import Deletion
from rag_server.worker.embedding import Embedding
from rag_server.worker.ingestion import Ingestion
from rag_server.worker.loop import Worker
from rag_server.worker.texts import TextsIngestion
from storage.blobs import BlobFolder
from tests.contracts.ingesting import tick
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.scripted_extractor import ScriptedExtractor
from tests.fakes.store_ports import DIMENSIONS, StorePorts, memory_ports
from tests.fakes.word_tokenizer import WordTokenizer

ENOUGH_S = 10.0


class CountingEmbedder(HashingEmbedder):
    """Remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(DIMENSIONS)
        self.embedded: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        return super().embed_passages(texts)


@dataclass(frozen=True, slots=True)
class WorkingSlot:
    store: StorePorts
    blobs: BlobFolder
    embedder: CountingEmbedder
    extractor: ScriptedExtractor
    wakeups: MemoryWakeups
    worker: Worker
    stop: asyncio.Event

    async def admit(self, content: str, key: str = "a.txt") -> str:
        """Put a file into the queue; its job's id."""
        async with self.blobs.begin() as upload:
            await upload.write(content.encode())
            blob = await upload.finish()
        job_id = str(uuid_utils.uuid7())
        order = Order(job_id, "default", key, key, blob.sha256, blob.size_bytes)
        await self.store.jobs.admit(order, tick())
        self.wakeups.notify("queue")
        return job_id

    async def admit_texts(self, *texts: Mapping[str, object]) -> str:
        """Put a call's texts into the queue, as a gateway would; the job's id."""
        unsaid: dict[str, object] = {"title": "", "media_type": "text/plain", "metadata": {}, "tags": []}
        lines = b"".join(json.dumps({**unsaid, **text}).encode() + b"\n" for text in texts)
        async with self.blobs.begin() as upload:
            await upload.write(lines)
            blob = await upload.finish()
        job_id = str(uuid_utils.uuid7())
        order = Order(job_id, "default", "", "", blob.sha256, blob.size_bytes, kind=JobKind.TEXTS)
        await self.store.jobs.admit(order, tick())
        self.wakeups.notify("queue")
        return job_id

    async def take_in_texts(self, *texts: Mapping[str, object]) -> Job:
        return await self.settled(await self.admit_texts(*texts))

    async def settled(self, job_id: str) -> Job:
        """The job, once it is no longer queued for the first time or running."""
        async with asyncio.timeout(ENOUGH_S):
            while True:
                job = await self.store.jobs.get(job_id)
                if job.ended or job.next_attempt_time is not None:
                    return job
                await asyncio.sleep(0.01)

    async def take_in(self, content: str, key: str = "a.txt") -> Job:
        return await self.settled(await self.admit(content, key))


@asynccontextmanager
async def working_slot(folder: Path) -> AsyncIterator[WorkingSlot]:
    store, wakeups, embedder, extractor = memory_ports(), MemoryWakeups(), CountingEmbedder(), ScriptedExtractor()
    blobs = BlobFolder(folder)
    with ThreadPoolExecutor(1) as executor:
        chunker = Chunker(WordTokenizer(), ChunkLimits(max_tokens=16, min_tokens=0), executor)
        embedding = Embedding(embedder, store.staging, executor)
        ingestion = Ingestion(store.staging, blobs, extractor, chunker, embedding, ExtractionLimits())
        texts = TextsIngestion(store.batches, blobs, read_text, lambda _: "pt", chunker, embedding, executor)
        deletion = Deletion(store.batches, store.contents, wakeups)
        works = {
            JobKind.INGEST: ingestion.carry_out,
            JobKind.TEXTS: texts.carry_out,
            JobKind.DELETE: deletion.carry_out,
        }
        worker = Worker("slot-1", store.slot, store.staging, works, wakeups)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        yield WorkingSlot(store, blobs, embedder, extractor, wakeups, worker, stop)
        stop.set()
        async with asyncio.timeout(ENOUGH_S):
            await running
