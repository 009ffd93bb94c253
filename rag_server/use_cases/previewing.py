"""Looking at a document as ingestion does, and keeping nothing."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_server.domain.chunk import Chunk
from rag_server.domain.extraction import DocumentText, ExtractionLimits, SourceHints, assemble
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.preview import Preview
from rag_server.ports import Extractor


@dataclass(frozen=True, slots=True)
class Previewing:
    """Reads and cuts one document with the parts that ingestion uses."""

    extractor: Extractor
    limits: ExtractionLimits
    cut: Callable[[DocumentText], Awaitable[Sequence[Chunk]]]

    async def preview(self, source: Path) -> Preview:
        """What becomes of the file; a fault of the file is told in it. Raises OSError where it cannot be opened."""
        begun_s = time.perf_counter()
        try:
            extraction = await self.extractor.extract(source, SourceHints(source.name), self.limits, _ignore)
        except IngestionFailed as failed:
            return Preview(failure=failed.failure, extracting_s=time.perf_counter() - begun_s)
        extracted_s = time.perf_counter()
        document = assemble(extraction.pages)
        chunks = await self.cut(document)
        failure = None if chunks else Failure(FailureReason.NO_TEXT)
        times = extracted_s - begun_s, time.perf_counter() - extracted_s
        return Preview(extraction, document, chunks, failure, *times)


def _ignore(_pages_done: int, _pages_total: int) -> None:
    """Progress is for jobs."""
