"""What every kind of ingestion does with the bytes it was given and the text it got from them."""

import asyncio
import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from rag_server.domain.extraction import DocumentText
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.job import Order
from rag_server.ports import Blobs

HASH_PIECE_BYTES = 1 << 20


async def verified(blobs: Blobs, order: Order) -> Path:
    """The file of an order, after its bytes were held against its name. Raises IngestionFailed."""

    def look() -> Path:
        path = blobs.path(order.sha256)
        if _sha256(path) != order.sha256:
            raise IngestionFailed(Failure(FailureReason.BLOB_MISSING))
        return path

    return await asyncio.to_thread(look)


def pages_of(document: DocumentText) -> Iterator[tuple[int, int, str]]:
    """The pages as the store keeps them: number, where they begin, text with its separator."""
    ends = (*document.page_starts, len(document.text))
    for number, (start, end) in zip(document.page_numbers, pairwise(ends), strict=True):
        yield number, start, document.text[start:end]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(HASH_PIECE_BYTES):
                digest.update(piece)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()
