"""What a document holds, and how it came to be: stretches of its text, its versions, its original."""

from dataclasses import dataclass
from functools import cached_property

from rag_server.domain.attributes import attributes_of
from rag_server.domain.document import Document
from rag_server.domain.filter import Attributes, Filter, matches


@dataclass(frozen=True)
class StandingDocument:
    """A document with the id of its current version."""

    version_id: int
    document: Document

    @cached_property
    def attributes(self) -> Attributes:
        """What filters can tell of it."""
        return attributes_of(self.version_id, self.document)

    def meets(self, wanted: Filter) -> bool:
        """Whether the document is meant: a condition on pages holds where it does for any of them."""
        return matches(wanted, self.attributes, range(1, self.document.page_total + 1))


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """What is told of a version of a document. Times are seconds since the epoch."""

    number: int  # 1, 2, 3 …
    sha256: str
    size_bytes: int
    file_name: str
    media_type: str
    chunk_count: int
    publish_time: float
    job_id: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class TextPage:
    """A part of the text that stands on one page. Offsets are code points of the whole text."""

    number: int
    char_start: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A citation, and how many chunks before and after it are wanted."""

    char_start: int
    char_end: int
    before: int
    after: int
