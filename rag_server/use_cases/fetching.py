"""Giving originals back: the bytes that were sent, in pieces."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from rag_server.document_ports import Contents
from rag_server.domain.document import Document
from rag_server.domain.errors import BlobNotFound
from rag_server.domain.texts import item_from_line
from rag_server.ports import Blobs
from storage.blobs import Blob

PIECE_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Original:
    """Where the bytes of a document are: a file, or, for a text that came with others, the bytes themselves."""

    document: Document
    source: Path | bytes

    async def pieces(self) -> AsyncGenerator[bytes]:
        """All bytes in order; one empty piece of an empty file. Raises BlobNotFound, OSError."""
        if isinstance(self.source, bytes):
            for start in range(0, max(len(self.source), 1), PIECE_BYTES):
                yield self.source[start : start + PIECE_BYTES]
            return
        try:
            file = await asyncio.to_thread(self.source.open, "rb")
        except FileNotFoundError as error:
            raise BlobNotFound(name=self.document.sha256) from error
        with file:
            piece = await asyncio.to_thread(file.read, PIECE_BYTES)
            yield piece
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece


@dataclass(frozen=True, slots=True)
class Fetching:
    """Finds originals."""

    contents: Contents
    blobs: Blobs

    async def original(self, document_id: str, collection: str) -> Original:
        """Raises DocumentNotFound, BlobNotFound."""
        document, part_of = await self.contents.origin(document_id, collection)
        if await asyncio.to_thread(self.blobs.has, Blob(document.sha256, document.size_bytes)):
            return Original(document, await asyncio.to_thread(self.blobs.path, document.sha256))
        text = await asyncio.to_thread(_text_of, self.blobs, part_of, document) if part_of else None
        if text is None:
            raise BlobNotFound(name=document.sha256)
        return Original(document, text)


def _text_of(blobs: Blobs, part_of: str, document: Document) -> bytes | None:
    """The text in the file in which it was sent with others."""
    try:
        with blobs.path(part_of).open("rb") as lines:
            for line in lines:
                item = item_from_line(line)
                if (item.document_key, item.sha256) == (document.document_key, document.sha256):
                    return item.encoded
    except FileNotFoundError:
        pass
    return None
