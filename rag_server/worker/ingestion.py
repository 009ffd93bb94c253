"""One document on its way in: read, cut, embed, stage, publish."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_server.domain.chunk import Chunk
from rag_server.domain.document import Summary, WholeVersion
from rag_server.domain.extraction import DocumentText, Extraction, ExtractionLimits, SourceHints, assemble
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.job import Claim, JobStage, Order
from rag_server.ports import Blobs, Extractor
from rag_server.staging_ports import Staging
from rag_server.worker.chunker import Chunker
from rag_server.worker.embedding import Embedding
from rag_server.worker.progress import ProgressMeter
from rag_server.worker.source import pages_of, verified

WHOLE_CHARS = 64_000
WHOLE_CHUNKS = 16  # a large model embeds them in a second


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Carries one claimed job from its bytes to a published version."""

    staging: Staging
    blobs: Blobs
    extractor: Extractor
    chunker: Chunker
    embedding: Embedding
    limits: ExtractionLimits

    async def carry_out(self, claim: Claim, meter: ProgressMeter) -> None:
        """Raises IngestionFailed where the input is at fault, LeaseLost, and what the ports raise."""
        order = claim.job.order
        if await self.staging.unchanged(claim, time.time()):
            return
        meter.enter(JobStage.EXTRACTING, time.monotonic())
        source = await verified(self.blobs, order)
        extraction = await self._extract(source, order, meter)

        meter.enter(JobStage.CHUNKING, time.monotonic())
        document = assemble(extraction.pages)
        chunks = await self.chunker.cut(document)
        if not chunks:
            raise IngestionFailed(Failure(FailureReason.NO_TEXT))
        version = _Version(document, chunks, _summary(extraction, document, chunks), extraction.problem)
        if len(document.text) <= WHOLE_CHARS and len(chunks) <= WHOLE_CHUNKS:
            await self._take_in_whole(claim, version, meter)
        else:
            await self._take_in_by_steps(claim, version, meter)

    async def _take_in_whole(self, claim: Claim, version: "_Version", meter: ProgressMeter) -> None:
        """One transaction for all of it: a crash loses less than the steps cost."""
        meter.enter(JobStage.EMBEDDING, time.monotonic())
        chunks = [chunk async for group, _ in self.embedding.embed(claim, version.chunks) for chunk in group]
        meter.enter(JobStage.PUBLISHING, time.monotonic())
        pages = tuple(pages_of(version.document))
        whole = WholeVersion(pages, chunks, version.summary, version.problem)
        await self.staging.publish_whole(claim, whole, time.time())

    async def _take_in_by_steps(self, claim: Claim, version: "_Version", meter: ProgressMeter) -> None:
        """What is staged is the cache of an attempt that comes after a crash."""
        version_id = await self.staging.begin(claim)
        await self.staging.stage_text(claim, version_id, pages_of(version.document))
        meter.enter(JobStage.EMBEDDING, time.monotonic())
        async for staged, done in self.embedding.embed(claim, version.chunks):
            await self.staging.stage_chunks(claim, version_id, staged)
            meter.chunks(done, len(version.chunks), time.monotonic())
        meter.enter(JobStage.PUBLISHING, time.monotonic())
        await self.staging.publish(claim, version_id, version.summary, version.problem, time.time())

    async def _extract(self, source: Path, order: Order, meter: ProgressMeter) -> Extraction:
        def on_progress(done: int, total: int) -> None:
            meter.pages(done, total, time.monotonic())

        hints = SourceHints(order.file_name, order.media_type)
        return await self.extractor.extract(source, hints, self.limits, on_progress)


@dataclass(frozen=True, slots=True)
class _Version:
    """What became of the bytes."""

    document: DocumentText
    chunks: Sequence[Chunk]
    summary: Summary
    problem: Failure | None


def _summary(extraction: Extraction, document: DocumentText, chunks: Sequence[Chunk]) -> Summary:
    return Summary(
        media_type=extraction.media_type,
        page_count=len(extraction.pages),
        page_total=max(extraction.pages_total, len(extraction.pages)),
        chunk_count=len(chunks),
        char_count=len(document.text),
        properties=extraction.properties,
    )
