"""Texts on their way in, hundreds at a time: read, cut, embed and publish in batches."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from rag_server.batch_ports import Batches, ReadText
from rag_server.domain.chunk import Chunk
from rag_server.domain.document import StagedChunk, Summary
from rag_server.domain.extraction import DocumentText, Extraction, assemble
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.job import Claim, DocumentCounts, JobStage
from rag_server.domain.language import with_language
from rag_server.domain.texts import (
    PreparedText,
    RejectedText,
    StandingText,
    TextItem,
    TextOutcome,
    item_from_line,
)
from rag_server.ports import Blobs
from rag_server.worker.chunker import Chunker
from rag_server.worker.embedding import Embedding
from rag_server.worker.progress import ProgressMeter
from rag_server.worker.source import pages_of, verified

BATCH_TEXTS = 200
BATCH_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class _CutText:
    """A text with its chunks, before they have vectors."""

    item: TextItem
    extraction: Extraction
    document: DocumentText
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class TextsIngestion:
    """Carries one claimed job from a file of texts to their documents. `executor` runs at low priority."""

    batches: Batches
    blobs: Blobs
    read: ReadText
    language_of: Callable[[str], str]
    chunker: Chunker
    embedding: Embedding
    executor: Executor

    async def carry_out(self, claim: Claim, meter: ProgressMeter) -> None:
        """Raises IngestionFailed where no text has a word, LeaseLost, and what the ports raise."""
        items = await asyncio.to_thread(_items, await verified(self.blobs, claim.job.order))
        counts = claim.job.result  # a job that was broken off goes on behind its last batch
        meter.documents(counts.done, len(items), time.monotonic())
        for batch in _batches(items[counts.done :]):
            outcomes = await self._outcomes(claim, batch, meter)
            meter.enter(JobStage.PUBLISHING, time.monotonic())
            counts = await self.batches.publish(claim, counts.done, outcomes, time.time())
            meter.documents(counts.done, len(items), time.monotonic())
        if counts.rejected == len(items):
            raise IngestionFailed(Failure(FailureReason.NO_TEXT, "None of the texts has a word."))
        await self.batches.finish(claim, _problem(counts), time.time())

    async def _outcomes(self, claim: Claim, items: Sequence[TextItem], meter: ProgressMeter) -> list[TextOutcome]:
        """What is to become of each, in order; chunks of all texts are embedded together."""
        standing = await self.batches.standing(claim, items)
        new = [item for item in items if item.document_key not in standing]
        meter.enter(JobStage.CHUNKING, time.monotonic())
        loop = asyncio.get_running_loop()
        cut = await loop.run_in_executor(self.executor, lambda: [self._cut(item) for item in new])
        meter.enter(JobStage.EMBEDDING, time.monotonic())
        staged = self._embedded(claim, [chunk for text in cut for chunk in text.chunks], meter)
        prepared = {id(text.item): await _prepared(text, staged) for text in cut}
        return [prepared.get(id(item)) or StandingText(item) for item in items]

    def _cut(self, item: TextItem) -> _CutText:
        extraction = with_language(self.read(item.text, item.media_type), self.language_of)
        if item.title:
            extraction = replace(extraction, properties={**extraction.properties, "title": item.title})
        document = assemble(extraction.pages)
        return _CutText(item, extraction, document, self.chunker.cut_here(document))

    async def _embedded(
        self, claim: Claim, chunks: Sequence[Chunk], meter: ProgressMeter
    ) -> AsyncIterator[StagedChunk]:
        async for group, done in self.embedding.embed(claim, chunks):
            meter.chunks(done, len(chunks), time.monotonic())
            for staged in group:
                yield staged


async def _prepared(text: _CutText, staged: AsyncIterator[StagedChunk]) -> PreparedText | RejectedText:
    """The text with its own of the staged chunks, which come in order."""
    if not text.chunks:
        return RejectedText(text.item)
    chunks = tuple([await anext(staged) for _ in text.chunks])
    summary = Summary(
        media_type=text.extraction.media_type,
        page_count=1,
        page_total=1,
        chunk_count=len(chunks),
        char_count=len(text.document.text),
        properties=text.extraction.properties,
    )
    return PreparedText(text.item, summary, tuple(pages_of(text.document)), chunks)


def _items(path: Path) -> list[TextItem]:
    with path.open("rb") as lines:
        return [item_from_line(line) for line in lines]


def _batches(items: Sequence[TextItem]) -> Iterator[list[TextItem]]:
    """In order; a transaction stays short for others that wait to write."""
    batch: list[TextItem] = []
    chars = 0
    for item in items:
        if batch and (len(batch) == BATCH_TEXTS or chars + len(item.text) > BATCH_CHARS):
            yield batch
            batch, chars = [], 0
        batch.append(item)
        chars += len(item.text)
    if batch:
        yield batch


def _problem(counts: DocumentCounts) -> Failure | None:
    if not counts.rejected:
        return None
    told = f"{counts.rejected} of the {counts.done} texts have no words and were left out."
    return Failure(FailureReason.NO_TEXT, told, {"texts": str(counts.rejected)})
