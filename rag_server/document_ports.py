"""What reading documents needs from the store. Each answer is of one moment."""

from collections.abc import Sequence
from typing import Protocol

from rag_server.domain.chunk import Chunk
from rag_server.domain.content import DocumentVersion, Place, StandingDocument, TextPage
from rag_server.domain.document import Document


class Contents(Protocol):
    """What documents hold. All that name one raise DocumentNotFound; an empty collection stands for any."""

    async def standing_after(self, collection: str, after_key: str, limit: int) -> list[StandingDocument]:
        """By key, only those after `after_key`. :raises CollectionNotFound:"""

    async def chunks_from(
        self, document_id: str, collection: str, first: int, limit: int
    ) -> tuple[Document, Sequence[Chunk]]:
        """The chunks of the current version from an ordinal on, in order."""

    async def chunks_around(self, document_id: str, collection: str, place: Place) -> tuple[Document, Sequence[Chunk]]:
        """The chunks that a citation touches, with its neighbours, in order."""

    async def text(
        self, document_id: str, collection: str, char_start: int, char_end: int
    ) -> tuple[Document, Sequence[TextPage]]:
        """The extracted text in [char_start, char_end), page by page. Its end may lie behind that of the text."""

    async def versions(self, document_id: str, collection: str, before: int, limit: int) -> list[DocumentVersion]:
        """The newest first; only those before the number `before`, where it is not 0."""

    async def origin(self, document_id: str, collection: str) -> tuple[Document, str]:
        """The document, and the SHA-256 of the file of texts that it came in; empty where it came as a file."""
