"""A change log in memory that a test writes by hand: publish, publish again, delete."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import Change, ChangeKind, IndexedChunk, Passage


@dataclass(frozen=True, slots=True)
class Text:
    """A chunk before the store has it."""

    text: str
    vector: NDArray[np.float32]
    headings: tuple[str, ...] = ()


@dataclass(slots=True)
class MemoryChangeLog:
    """Implements the port ChangeLog, for any number of threads."""

    log: list[Change] = field(default_factory=list)
    current: dict[str, tuple[int, list[IndexedChunk]]] = field(default_factory=dict)  # by document: version, chunks
    versions: dict[int, str] = field(default_factory=dict)  # the document of every version
    chunk_count: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def publish(self, document_id: str, texts: Sequence[Text], collection: str = "default", title: str = "") -> int:
        """A new version of the document; returns the sequence."""
        with self.lock:
            version_id = len(self.versions) + 1
            first = self.chunk_count + 1
            self.chunk_count += len(texts)
            chunks = [
                IndexedChunk(chunk_id, collection, document_id, text.text, text.headings, title, text.vector)
                for chunk_id, text in enumerate(texts, first)
            ]
            self.versions[version_id] = document_id
            self.current[document_id] = (version_id, chunks)
            return self._append(ChangeKind.PUBLISHED, collection, document_id, version_id)

    def delete(self, document_id: str) -> int:
        """No version may be found any more; returns the sequence."""
        with self.lock:
            collection = next(change.collection for change in self.log if change.document_id == document_id)
            self.current.pop(document_id, None)
            return self._append(ChangeKind.DELETED, collection, document_id, 0)

    def last_sequence(self) -> int:
        return len(self.log)

    def changes(self, after: int, limit: int) -> list[Change]:
        return self.log[after : after + limit]

    def chunks_of(self, version_id: int) -> list[IndexedChunk]:
        with self.lock:
            current_id, chunks = self.current.get(self.versions[version_id], (0, []))
            return list(chunks) if current_id == version_id else []

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


def _passage(chunk: IndexedChunk) -> Passage:
    return Passage(
        chunk_id=chunk.chunk_id,
        collection=chunk.collection,
        document_id=chunk.document_id,
        document_key=chunk.document_id,
        file_name=chunk.title,
        document_version=1,
        page_first=1,
        page_last=1,
        char_start=0,
        char_end=len(chunk.text),
        headings=chunk.headings,
        text=chunk.text,
    )
