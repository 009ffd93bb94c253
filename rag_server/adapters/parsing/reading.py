"""What goes into a reader and what comes out of it."""

import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from rag_server.adapters.parsing.budget import Budget
from rag_server.domain.extraction import Page


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one document, open for reading and seekable; the name has no part in reading them."""

    file: BinaryIO
    size_bytes: int
    file_name: str
    declared_media_type: str = ""
    pdf_engine: str = "pymupdf"
    wants_pictures: bool = False  # pages without text are wanted as pictures, for their text to be recognised

    def head(self, size_bytes: int) -> bytes:
        """The first bytes of the file."""
        self.file.seek(0)
        return self.file.read(size_bytes)

    def contents(self) -> bytes:
        """All bytes of the file."""
        self.file.seek(0)
        return self.file.read()

    def mapped(self) -> mmap.mmap:
        """The bytes without copying them into memory."""
        return mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)


@dataclass(frozen=True, slots=True)
class UnreadablePage:
    """A page that is there but could not be read."""

    number: int


@dataclass(frozen=True, slots=True)
class DamagedPage:
    """A page that was read as far as its damage allows; some of its text may be missing."""

    page: Page


@dataclass(frozen=True, slots=True)
class PicturePage:
    """A page without text, as a grey PNG."""

    number: int
    png: bytes


ReadPage = Page | UnreadablePage | DamagedPage | PicturePage


@dataclass(frozen=True, slots=True)
class Reading:
    """A document being read. `pages` is lazy and ascending; `pages_total` is 0 while unknown."""

    pages: Iterator[ReadPage]
    pages_total: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)  # title, author, language, created, modified


# Raises Refused, or whatever its library raises on damaged bytes: the caller takes that for CORRUPT.
Reader = Callable[[Source, Budget], Reading]
