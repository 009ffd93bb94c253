"""The extractor as the settings want it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.adapters.py3langid import language
from rag_server.adapters.tesseract.recognition import Tesseract
from rag_server.domain.extraction import ExtractionLimits
from rag_server.settings import Settings


def extraction_limits(settings: Settings) -> ExtractionLimits:
    """What one document may cost."""
    return ExtractionLimits(max_file_bytes=settings.max_upload_bytes)


@asynccontextmanager
async def running_extractor(settings: Settings) -> AsyncIterator[ExtractorProcess]:
    """The extractor with its process running, so that its isolation is known before the first document comes.

    Raises SandboxMissing and ExtractorUnavailable.
    """
    extractor = ExtractorProcess(
        settings.pdf_engine,
        require_sandbox=settings.require_sandbox,
        picture_reader=Tesseract(settings.ocr) if settings.ocr else None,
        language_of=language.language_of,
    )
    try:
        memory_bytes = extraction_limits(settings).memory_bytes
        await asyncio.gather(extractor.start(memory_bytes), asyncio.to_thread(language.load))
        yield extractor
    finally:
        await extractor.close()
