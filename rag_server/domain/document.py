"""A document that can be found, its collection, and what publishing and the change log say of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.chunk import Chunk
from rag_server.domain.failure import Failure
from rag_server.domain.filter import Attributes

DEFAULT_COLLECTION = "default"


@dataclass(frozen=True, slots=True)
class Document:
    """The current version of a document. Times are seconds since the epoch."""

    collection: str
    document_id: str  # UUIDv7, stays through versions
    document_key: str
    file_name: str
    media_type: str
    size_bytes: int
    sha256: str
    version: int
    page_count: int
    page_total: int
    chunk_count: int
    char_count: int
    properties: Mapping[str, str]
    metadata_json: str
    tags: tuple[str, ...]
    sequence: int
    job_id: str
    create_time: float
    update_time: float


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of documents that are searched together."""

    collection: str
    document_count: int
    chunk_count: int
    create_time: float


@dataclass(frozen=True, slots=True)
class StagedChunk:
    """A chunk with its vector, on its way into the store."""

    chunk: Chunk
    vector: NDArray[np.float32]  # (d,), unit length; zero where the text has no known token


@dataclass(frozen=True, slots=True)
class Summary:
    """What publishing needs to know about a staged version besides its chunks."""

    media_type: str
    page_count: int
    page_total: int
    chunk_count: int
    char_count: int
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WholeVersion:
    """All of a small version at once."""

    pages: Sequence[tuple[int, int, str]]  # page number, char_start, text with its separator
    chunks: Sequence[StagedChunk]
    summary: Summary
    problem: Failure | None


class ChangeKind(StrEnum):
    """What a change did."""

    PUBLISHED = "PUBLISHED"  # this version of the document is the only one that may be found
    DELETED = "DELETED"  # no version of the document may be found
    SEGMENT = "SEGMENT"  # a compressed segment holds vectors of the collection that were published before


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change log. Sequences are dense: 1, 2, 3 …"""

    sequence: int
    kind: ChangeKind
    collection: str
    document_id: str  # empty for a segment
    version_id: int  # of the published version; else 0
    segment_id: int = 0  # of the segment; else 0
    change_time: float = 0.0

    @property
    def mark(self) -> str:
        """What tells it from any other that may stand in its place in another store, or in one set back and gone on."""
        what = (self.sequence, self.kind, self.collection, self.document_id, self.version_id, self.segment_id)
        return hashlib.sha256(repr((*what, self.change_time)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A published chunk as the views need it."""

    chunk_id: int  # unique in the store, never used again
    collection: str
    document_id: str
    version_id: int
    text: str
    headings: tuple[str, ...]
    title: str  # of the document: its title property, else its file name
    vector: NDArray[np.float32]  # (d,)
    page_first: int = 1
    page_last: int = 1


@dataclass(frozen=True, slots=True)
class DocumentChunks:
    """What a change makes of a document in an index: these are its chunks now, and no others; none after a delete."""

    collection: str
    document_id: str
    chunks: Sequence[IndexedChunk]
    attributes: Attributes | None  # None after a delete


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that may be shown: its document stands and this is its current version."""

    chunk_id: int
    version_id: int
    collection: str
    document_id: str
    document_key: str
    file_name: str
    document_version: int
    page_first: int
    page_last: int
    char_start: int
    char_end: int
    headings: tuple[str, ...]
    text: str
