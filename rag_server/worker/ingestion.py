"""One document on its way in: read, cut, embed, stage, publish."""

import asyncio
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rag_server.domain.chunk import Chunk
from rag_server.domain.document import Summary
from rag_server.domain.extraction import DocumentText, Extraction, ExtractionLimits, SourceHints, assemble
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.job import Claim, JobStage, Order
from rag_server.ports import Blobs, Extractor, Staging
from rag_server.worker.chunker import Chunker
from rag_server.worker.embedding import Embedding
from rag_server.worker.progress import ProgressMeter

HASH_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Carries one claimed job from its bytes to a published version."""

    staging: Staging
    blobs: Blobs
    extractor: Extractor
    chunker: Chunker
    embedding: Embedding
    limits: ExtractionLimits

    async def ingest(self, claim: Claim, meter: ProgressMeter) -> None:
        """Raises IngestionFailed where the input is at fault, LeaseLost, and what the ports raise."""
        order = claim.job.order
        if await self.staging.unchanged(claim, time.time()):
            return
        meter.enter(JobStage.EXTRACTING, time.monotonic())
        source = await self._verified(order)
        version_id = await self.staging.begin(claim)
        extraction = await self._extract(source, order, meter)

        meter.enter(JobStage.CHUNKING, time.monotonic())
        document = assemble(extraction.pages)
        await self.staging.stage_text(claim, version_id, _pages(document))
        chunks = await self.chunker.cut(document)
        if not chunks:
            raise IngestionFailed(Failure(FailureReason.NO_TEXT))

        meter.enter(JobStage.EMBEDDING, time.monotonic())
        async for staged, done in self.embedding.embed(claim, chunks):
            await self.staging.stage_chunks(claim, version_id, staged)
            meter.chunks(done, len(chunks), time.monotonic())

        meter.enter(JobStage.PUBLISHING, time.monotonic())
        summary = _summary(extraction, document, chunks)
        await self.staging.publish(claim, version_id, summary, extraction.problem, time.time())

    async def _verified(self, order: Order) -> Path:
        """The file, after its bytes were held against its name."""
        path = self.blobs.path(order.sha256)
        if await asyncio.to_thread(_sha256, path) != order.sha256:
            raise IngestionFailed(Failure(FailureReason.BLOB_MISSING))
        return path

    async def _extract(self, source: Path, order: Order, meter: ProgressMeter) -> Extraction:
        def on_progress(done: int, total: int) -> None:
            meter.pages(done, total, time.monotonic())

        hints = SourceHints(order.file_name, order.media_type)
        return await self.extractor.extract(source, hints, self.limits, on_progress)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(HASH_PIECE_BYTES):
                digest.update(piece)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def _pages(document: DocumentText) -> Iterator[tuple[int, int, str]]:
    ends = (*document.page_starts, len(document.text))
    for number, (start, end) in zip(document.page_numbers, pairwise(ends), strict=True):
        yield number, start, document.text[start:end]


def _summary(extraction: Extraction, document: DocumentText, chunks: Sequence[Chunk]) -> Summary:
    return Summary(
        media_type=extraction.media_type,
        page_count=len(extraction.pages),
        page_total=max(extraction.pages_total, len(extraction.pages)),
        chunk_count=len(chunks),
        char_count=len(document.text),
        properties=extraction.properties,
    )
