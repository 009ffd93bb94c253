"""Documents in memory: their way in, their reading, their change log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import uuid_utils
from numpy.typing import NDArray

from rag_server.domain.attributes import attributes_of
from rag_server.domain.document import (
    Change,
    ChangeKind,
    Collection,
    Document,
    IndexedChunk,
    Passage,
    StagedChunk,
    Summary,
    WholeVersion,
)
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound
from rag_server.domain.failure import Failure
from rag_server.domain.filter import Attributes
from rag_server.domain.job import Claim, IngestOutcome, JobState
from rag_server.domain.segment import StoredSegment
from tests.fakes.memory_store import OPEN, JobRecord, MemoryStore, Version, key_of


@dataclass(frozen=True, slots=True)
class MemoryStaging:
    store: MemoryStore

    async def unchanged(self, claim: Claim, now: float) -> bool:
        return self.store.end_if_unchanged(self.store.claimed(claim), now)

    async def begin(self, claim: Claim) -> int:
        order = self.store.claimed(claim).job.order
        version = self.store.staged_version(order.job_id)
        if version is None:
            self.store.last_version_id += 1
            version = Version(self.store.last_version_id, order, self.store.pipeline)
            self.store.versions[version.version_id] = version
        return version.version_id

    async def known_vectors(self, claim: Claim, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        order = self.store.claimed(claim).job.order
        wanted = set(hashes)
        versions = [v for v in self.store.versions.values() if v.order.collection == order.collection and not v.erased]
        same_model = [v for v in versions if v.pipeline.model_fingerprint == self.store.pipeline.model_fingerprint]
        chunks = [staged for version in same_model for _, staged in version.chunks.values()]
        return {s.chunk.content_hash: s.vector for s in chunks if s.chunk.content_hash in wanted}

    async def stage_text(self, claim: Claim, version_id: int, pages: Iterable[tuple[int, int, str]]) -> None:
        self._staged(claim, version_id).pages = list(pages)

    async def stage_chunks(self, claim: Claim, version_id: int, chunks: Sequence[StagedChunk]) -> None:
        version = self._staged(claim, version_id)
        for staged in chunks:
            self.store.last_chunk_id += 1
            version.chunks[staged.chunk.ordinal] = (self.store.last_chunk_id, staged)

    async def publish(
        self, claim: Claim, version_id: int, summary: Summary, problem: Failure | None, now: float
    ) -> int:
        record = self.store.claimed(claim)
        if record.job.cancel_requested or self.store.superseded(record):
            self.store.cancel(record, now)
            return 0
        version = self._staged(claim, version_id)
        for ordinal in [ordinal for ordinal in version.chunks if ordinal >= summary.chunk_count]:
            del version.chunks[ordinal]
        if len(version.chunks) != summary.chunk_count:
            raise ValueError("the staged chunks are not whole")
        version.problem = problem
        return self._flip(record, version, summary, now)

    async def publish_whole(self, claim: Claim, version: WholeVersion, now: float) -> int:
        self.store.drop_staged(self.store.claimed(claim).job.order.job_id)
        version_id = await self.begin(claim)
        await self.stage_text(claim, version_id, version.pages)
        await self.stage_chunks(claim, version_id, version.chunks)
        return await self.publish(claim, version_id, version.summary, version.problem, now)

    async def drop_retired(self, limit: int) -> int:
        dropped = 0
        for version in [version for version in self.store.versions.values() if version.retired]:
            while version.chunks and dropped < limit:
                del version.chunks[min(version.chunks)]
                dropped += 1
            if not version.chunks:
                del self.store.versions[version.version_id]
        return dropped

    def _staged(self, claim: Claim, version_id: int) -> Version:
        order = self.store.claimed(claim).job.order
        version = self.store.versions.get(version_id)
        if version is None or version.order.job_id != order.job_id or not version.staged:
            raise ValueError("the version is not staged by this job")
        return version

    def _flip(self, record: JobRecord, version: Version, summary: Summary, now: float) -> int:
        order, key = record.job.order, key_of(record.job.order)
        standing = self.store.document(key)
        self.store.collections.setdefault(order.collection, now)
        self.store.retire(key)
        document_id = standing.document_id if standing else str(uuid_utils.uuid7())
        sequence = self.store.log(ChangeKind.PUBLISHED, (order.collection, document_id, version.version_id), now)
        version.document = Document(
            order.collection, document_id, order.document_key, order.file_name, summary.media_type, order.size_bytes,
            order.sha256, standing.version + 1 if standing else 1, summary.page_count, summary.page_total,
            summary.chunk_count, summary.char_count, dict(summary.properties), order.metadata_json, order.tags,
            sequence, order.job_id, standing.create_time if standing else now, now,
        )  # fmt: skip
        self.store.current[key] = version.version_id
        self.store.answers_to[key] = record.admission
        self.store.succeed(record, version, IngestOutcome.UPDATED if standing else IngestOutcome.CREATED, now)
        return sequence


@dataclass(frozen=True, slots=True)
class MemoryDocuments:
    store: MemoryStore

    async def get(self, document_id: str, collection: str = "") -> Document:
        for document in self._documents(collection):
            if document.document_id == document_id:
                return document
        raise DocumentNotFound(name=f"documents/{document_id}")

    async def list_documents(self, collection: str, after_key: str, limit: int) -> list[Document]:
        await self.get_collection(collection)
        later = [document for document in self._documents(collection) if document.document_key > after_key]
        return sorted(later, key=lambda document: document.document_key)[:limit]

    async def delete(self, document_id: str, collection: str, now: float) -> int:
        document = await self.get(document_id, collection)
        sequence = self.store.log(ChangeKind.DELETED, (document.collection, document_id, 0), now)
        self._clear(document.collection, document.document_key, now)
        return sequence

    async def get_collection(self, collection: str) -> Collection:
        if collection not in self.store.collections:
            raise CollectionNotFound(name=f"collections/{collection}")
        documents = self._documents(collection)
        chunks = sum(document.chunk_count for document in documents)
        return Collection(collection, len(documents), chunks, self.store.collections[collection])

    async def list_collections(self, after: str, limit: int) -> list[Collection]:
        names = sorted(name for name in self.store.collections if name > after)
        return [await self.get_collection(name) for name in names[:limit]]

    async def delete_collection(self, collection: str, now: float) -> tuple[int, int]:
        await self.get_collection(collection)
        documents = await self.list_documents(collection, "", len(self.store.current))
        for document in documents:
            self.store.log(ChangeKind.DELETED, (collection, document.document_id, 0), now)
        self._clear(collection, "", now)
        del self.store.collections[collection]
        for segment in [one for one in self.store.segments.values() if one.collection == collection]:
            del self.store.segments[segment.segment_id]
        return len(self.store.changes), len(documents)

    def _documents(self, collection: str) -> list[Document]:
        documents = [self.store.versions[version_id].document for version_id in self.store.current.values()]
        return [d for d in documents if d is not None and (not collection or d.collection == collection)]

    def _clear(self, collection: str, document_key: str, now: float) -> None:
        def meant(key: tuple[str, str]) -> bool:
            return key[0] == collection and (not document_key or key[1] == document_key)

        for key in [key for key in self.store.current if meant(key)]:
            del self.store.current[key], self.store.answers_to[key]
        for record in self.store.jobs.values():
            if meant(key_of(record.job.order)) and record.job.state in OPEN:
                self.store.ask_to_cancel(record, now)
        for version in self.store.versions.values():
            if meant(key_of(version.order)):
                owner = self.store.jobs.get(version.order.job_id)
                running = owner is not None and owner.job.state is JobState.RUNNING
                version.erased = True
                version.retired = version.retired or not (version.staged and running)
        kept = [one for one in self.store.history if not meant((one.collection, one.document_key))]
        self.store.history[:] = kept
        self.store.buried[collection, document_key] = self.store.last_admission


@dataclass(frozen=True, slots=True)
class MemoryChangeLog:
    store: MemoryStore

    def last_sequence(self) -> int:
        return len(self.store.changes)

    def changes(self, after: int, limit: int) -> list[Change]:
        return self.store.changes[after : after + limit]

    def is_growing(self) -> bool:
        return any(record.job.state in OPEN for record in self.store.jobs.values())

    def chunks_of(self, version_ids: Sequence[int], most: int) -> dict[int, list[IndexedChunk]]:
        current = {version.version_id: version for version in self._current()}
        found: dict[int, list[IndexedChunk]] = {}
        for version_id in version_ids:
            found[version_id] = _indexed(current[version_id]) if version_id in current else []
            if sum(map(len, found.values())) >= most:
                break
        return found

    def segment(self, segment_id: int) -> StoredSegment | None:
        return self.store.segments.get(segment_id)

    def current_chunk_ids(self) -> NDArray[np.int64]:
        ids = sorted(chunk_id for version in self._current() for chunk_id, _ in version.chunks.values())
        return np.array(ids, np.int64)

    def attributes_of(self, version_ids: Sequence[int]) -> dict[int, Attributes]:
        wanted = set(version_ids)
        found = [(version.version_id, version.document) for version in self._current()]
        return {
            version_id: attributes_of(version_id, document)
            for version_id, document in found
            if version_id in wanted and document is not None
        }

    def current_version_ids(self) -> NDArray[np.int64]:
        return np.array(sorted(self.store.current.values()), np.int64)

    def passages(self, chunk_ids: Sequence[int]) -> dict[int, Passage]:
        wanted = set(chunk_ids)
        found = [passage for version in self._current() for passage in _passages(version)]
        return {passage.chunk_id: passage for passage in found if passage.chunk_id in wanted}

    def _current(self) -> list[Version]:
        return [self.store.versions[version_id] for version_id in self.store.current.values()]


def _indexed(version: Version) -> list[IndexedChunk]:
    document = version.document
    assert document is not None
    title = document.properties.get("title") or document.file_name
    return [
        IndexedChunk(
            chunk_id,
            document.collection,
            document.document_id,
            version.version_id,
            s.chunk.text,
            s.chunk.headings,
            title,
            s.vector,
            s.chunk.page_first,
            s.chunk.page_last,
        )
        for _, (chunk_id, s) in sorted(version.chunks.items())
    ]


def _passages(version: Version) -> list[Passage]:
    document = version.document
    assert document is not None
    known = (document.collection, document.document_id, document.document_key, document.file_name, document.version)
    return [
        Passage(
            chunk_id,
            version.version_id,
            *known,
            c.page_first,
            c.page_last,
            c.char_start,
            c.char_end,
            c.headings,
            c.text,
        )
        for chunk_id, c in ((chunk_id, staged.chunk) for chunk_id, staged in version.chunks.values())
    ]
