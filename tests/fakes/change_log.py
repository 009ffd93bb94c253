"""A change log in memory that a test writes by hand: publish, publish again, delete."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import Change, ChangeKind, IndexedChunk, Passage
from rag_server.domain.filter import Attributes
from rag_server.domain.segment import StoredSegment


@dataclass(frozen=True, slots=True)
class Text:
    """A chunk before the store has it."""

    text: str
    vector: NDArray[np.float32]
    headings: tuple[str, ...] = ()
    page: int = 1


@dataclass(slots=True)
class MemoryChangeLog:
    """Implements the port ChangeLog, for any number of threads."""

    log: list[Change] = field(default_factory=list)
    current: dict[str, tuple[int, list[IndexedChunk]]] = field(default_factory=dict)  # by document: version, chunks
    versions: dict[int, str] = field(default_factory=dict)  # the document of every version
    attributes: dict[int, Attributes] = field(default_factory=dict)  # of every version
    chunk_count: int = 0
    segments: dict[int, StoredSegment] = field(default_factory=dict)  # those in use
    growing: bool = False  # whether more is said to be on its way
    lock: threading.RLock = field(default_factory=threading.RLock)

    def publish(
        self, document_id: str, texts: Sequence[Text], collection: str = "default", title: str = "", **facts: Any
    ) -> int:
        """A new version of the document, of which filters can tell these facts; returns the sequence."""
        with self.lock:
            version_id = len(self.versions) + 1
            first = self.chunk_count + 1
            self.chunk_count += len(texts)
            chunks = [
                IndexedChunk(
                    chunk_id,
                    collection,
                    document_id,
                    version_id,
                    text.text,
                    text.headings,
                    title,
                    text.vector,
                    text.page,
                    text.page,
                )
                for chunk_id, text in enumerate(texts, first)
            ]
            self.versions[version_id] = document_id
            self.attributes[version_id] = replace(_plain(version_id, collection, document_id), **facts)
            self.current[document_id] = (version_id, chunks)
            return self._append(ChangeKind.PUBLISHED, collection, document_id, version_id)

    def delete(self, document_id: str) -> int:
        """No version may be found any more; returns the sequence."""
        with self.lock:
            collection = next(change.collection for change in self.log if change.document_id == document_id)
            self.current.pop(document_id, None)
            return self._append(ChangeKind.DELETED, collection, document_id, 0)

    def put_into_use(self, segment: StoredSegment, replaced: Collection[int] = ()) -> int:
        """A segment was built; returns the sequence."""
        with self.lock:
            for segment_id in replaced:
                del self.segments[segment_id]
            self.segments[segment.segment_id] = segment
            change = Change(len(self.log) + 1, ChangeKind.SEGMENT, segment.collection, "", 0, segment.segment_id)
            self.log.append(change)
            return change.sequence

    def segment(self, segment_id: int) -> StoredSegment | None:
        return self.segments.get(segment_id)

    def last_sequence(self) -> int:
        return len(self.log)

    def changes(self, after: int, limit: int) -> list[Change]:
        return self.log[after : after + limit]

    def is_growing(self) -> bool:
        return self.growing

    def chunks_of(self, version_ids: Sequence[int], most: int) -> dict[int, list[IndexedChunk]]:
        found: dict[int, list[IndexedChunk]] = {}
        with self.lock:
            for version_id in version_ids:
                current_id, chunks = self.current.get(self.versions[version_id], (0, []))
                found[version_id] = list(chunks) if current_id == version_id else []
                if sum(map(len, found.values())) >= most:
                    break
        return found

    def attributes_of(self, version_ids: Sequence[int]) -> dict[int, Attributes]:
        with self.lock:
            current = {version_id for version_id, _ in self.current.values()}
            return {version_id: self.attributes[version_id] for version_id in version_ids if version_id in current}

    def current_version_ids(self) -> NDArray[np.int64]:
        with self.lock:
            return np.array(sorted(version_id for version_id, _ in self.current.values()), np.int64)

    def current_chunk_ids(self) -> NDArray[np.int64]:
        return np.array(sorted(self.chunks()), np.int64)

    def passages(self, chunk_ids: Sequence[int]) -> dict[int, Passage]:
        chunks = self.chunks()
        return {chunk_id: _passage(chunks[chunk_id]) for chunk_id in chunk_ids if chunk_id in chunks}

    def chunks(self, collection: str | None = None) -> Mapping[int, IndexedChunk]:
        """What may be found, by id."""
        with self.lock:
            return {
                chunk.chunk_id: chunk
                for _, chunks in self.current.values()
                for chunk in chunks
                if collection in (None, chunk.collection)
            }

    def _append(self, kind: ChangeKind, collection: str, document_id: str, version_id: int) -> int:
        sequence = len(self.log) + 1
        self.log.append(Change(sequence, kind, collection, document_id, version_id))
        return sequence


def _plain(version_id: int, collection: str, document_id: str) -> Attributes:
    """Of a document of which nothing else is known."""
    return Attributes(
        version_id, collection, document_id, document_id, document_id, "text/plain", "", (), 0.0, 0.0, None, None, {}
    )


def _passage(chunk: IndexedChunk) -> Passage:
    return Passage(
        chunk_id=chunk.chunk_id,
        version_id=chunk.version_id,
        collection=chunk.collection,
        document_id=chunk.document_id,
        document_key=chunk.document_id,
        file_name=chunk.title,
        document_version=1,
        page_first=chunk.page_first,
        page_last=chunk.page_last,
        char_start=0,
        char_end=len(chunk.text),
        headings=chunk.headings,
        text=chunk.text,
    )
