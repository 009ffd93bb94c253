"""An extractor for plain text files, page breaks at form feeds; certain words make it fail or wait."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from rag_server.domain.extraction import Extraction, ExtractionLimits, Page, SourceHints
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed


class ScriptedExtractor:
    """Implements the port Extractor."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()  # set while a file that says WAIT is being read

    async def extract(
        self, source: Path, hints: SourceHints, limits: ExtractionLimits, on_progress: Callable[[int, int], None]
    ) -> Extraction:
        del hints, limits
        text = source.read_text()
        if "CORRUPT" in text:
            raise IngestionFailed(Failure(FailureReason.CORRUPT))
        if "BROKEN PARSER" in text:
            raise RuntimeError("the extractor has a bug")
        if "WAIT" in text:
            self.waiting.set()
            await asyncio.Event().wait()
        pages = tuple(Page(number, part) for number, part in enumerate(text.split("\f"), 1))
        on_progress(len(pages), len(pages))
        problem = Failure(FailureReason.TIMEOUT) if "PARTIAL" in text else None
        return Extraction("text/plain", pages, len(pages) + (problem is not None), {"title": source.name}, problem)

    async def close(self) -> None:
        pass
