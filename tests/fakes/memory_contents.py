"""Reading documents, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag_server.domain.chunk import Chunk
from rag_server.domain.content import DocumentVersion, Place, StandingDocument, TextPage
from rag_server.domain.document import Document
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound
from tests.fakes.memory_store import MemoryStore, Version


@dataclass(frozen=True, slots=True)
class MemoryContents:
    store: MemoryStore

    async def standing_after(self, collection: str, after_key: str, limit: int) -> list[StandingDocument]:
        if collection not in self.store.collections:
            raise CollectionNotFound(name=f"collections/{collection}")
        keys = sorted(key for name, key in self.store.current if name == collection and key > after_key)
        found = [self.store.versions[self.store.current[collection, key]] for key in keys[:limit]]
        return [StandingDocument(version.version_id, _document(version)) for version in found]

    async def chunks_from(
        self, document_id: str, collection: str, first: int, limit: int
    ) -> tuple[Document, Sequence[Chunk]]:
        version = self._version(document_id, collection)
        return _document(version), [one for one in _chunks(version) if one.ordinal >= first][:limit]

    async def chunks_around(self, document_id: str, collection: str, place: Place) -> tuple[Document, Sequence[Chunk]]:
        version = self._version(document_id, collection)
        chunks = _chunks(version)
        touched = [c.ordinal for c in chunks if c.char_start < place.char_end and c.char_end > place.char_start]
        before = [c.ordinal for c in chunks if c.char_start <= place.char_start]
        touched = touched or before[-1:] or [0]
        wanted = range(touched[0] - place.before, touched[-1] + place.after + 1)
        return _document(version), [one for one in chunks if one.ordinal in wanted]

    async def text(
        self, document_id: str, collection: str, char_start: int, char_end: int
    ) -> tuple[Document, Sequence[TextPage]]:
        version = self._version(document_id, collection)
        pages = [
            TextPage(number, max(start, char_start), text[max(char_start - start, 0) : max(char_end - start, 0)])
            for number, start, text in version.pages
        ]
        return _document(version), [page for page in pages if page.text]

    async def versions(self, document_id: str, collection: str, before: int, limit: int) -> list[DocumentVersion]:
        current = _document(self._version(document_id, collection))
        replaced = [one for one in self.store.history if one.document_id == document_id]
        known = [(current, True), *((one, False) for one in reversed(replaced[-99:]))]
        found = [_told(document, is_current=is_current) for document, is_current in known]
        return [one for one in found if not before or one.number < before][:limit]

    async def origin(self, document_id: str, collection: str) -> tuple[Document, str]:
        version = self._version(document_id, collection)
        return _document(version), version.part_of

    def _version(self, document_id: str, collection: str) -> Version:
        for version in (self.store.versions[version_id] for version_id in self.store.current.values()):
            document = _document(version)
            if document.document_id == document_id and collection in {"", document.collection}:
                return version
        raise DocumentNotFound(name=f"documents/{document_id}")


def _document(version: Version) -> Document:
    assert version.document is not None
    return version.document


def _chunks(version: Version) -> list[Chunk]:
    return [staged.chunk for _, (_, staged) in sorted(version.chunks.items())]


def _told(one: Document, *, is_current: bool) -> DocumentVersion:
    known = (one.version, one.sha256, one.size_bytes, one.file_name, one.media_type, one.chunk_count)
    return DocumentVersion(*known, one.update_time, one.job_id, is_current)
