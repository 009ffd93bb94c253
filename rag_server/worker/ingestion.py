"""One document on its way in: read, cut, embed, stage, publish."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
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
from rag_server.worker.source import pages_of, verified


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
        version_id = await self.staging.begin(claim)
        extraction = await self._extract(source, order, meter)

        meter.enter(JobStage.CHUNKING, time.monotonic())
        document = assemble(extraction.pages)
        await self.staging.stage_text(claim, version_id, pages_of(document))
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

    async def _extract(self, source: Path, order: Order, meter: ProgressMeter) -> Extraction:
        def on_progress(done: int, total: int) -> None:
            meter.pages(done, total, time.monotonic())

        hints = SourceHints(order.file_name, order.media_type)
        return await self.extractor.extract(source, hints, self.limits, on_progress)


def _summary(extraction: Extraction, document: DocumentText, chunks: Sequence[Chunk]) -> Summary:
    return Summary(
        media_type=extraction.media_type,
        page_count=len(extraction.pages),
        page_total=max(extraction.pages_total, len(extraction.pages)),
        chunk_count=len(chunks),
        char_count=len(document.text),
        properties=extraction.properties,
    )
