"""What comes out of a file: pages of text with headings, and what the file says about itself."""

import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rag_server.domain.failure import Failure

PAGE_SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Heading:
    """A title that opens a section. `char_start` is where it stands, a code point offset."""

    level: int  # 1 is the highest
    text: str
    char_start: int


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of a table, one a line, in [char_start, char_end); the row that names the columns stands before them.

    `header` is that row, "" if no row names the columns. A table that goes on from the page before has it there.
    """

    header: str
    char_start: int
    char_end: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page, slide, sheet or chapter; `number` counts from 1. All offsets are into `text`, which is NFC."""

    number: int
    text: str
    headings: tuple[Heading, ...] = ()
    tables: tuple[TableRows, ...] = ()  # ascending, apart


@dataclass(frozen=True, slots=True)
class SourceHints:
    """What the sender said about the bytes; none of it is believed without looking."""

    file_name: str
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """How much one document may cost. Times are wall-clock seconds."""

    max_file_bytes: int = 1 << 30
    max_pages: int = 5_000
    max_text_chars: int = 50_000_000
    page_timeout_s: float = 30.0
    document_timeout_s: float = 600.0
    memory_bytes: int = 1 << 30
    archive_max_bytes: int = 500_000_000
    archive_max_ratio: int = 200
    archive_max_members: int = 10_000


@dataclass(frozen=True, slots=True)
class Extraction:
    """The pages that could be read, in order. `problem` says why pages are missing, None if none is."""

    media_type: str  # what the bytes are, not what was declared
    pages: tuple[Page, ...]
    pages_total: int
    properties: Mapping[str, str] = field(default_factory=dict)  # title, author, language, created, modified
    problem: Failure | None = None


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The text that citations point into. A citation is a code point range: `text[start:end]`."""

    text: str
    page_starts: tuple[int, ...]  # offset of each page's first code point; ascending, the first is 0
    page_numbers: tuple[int, ...]  # the page's number, in step with page_starts
    headings: tuple[Heading, ...]  # offsets into text, ascending
    tables: tuple[TableRows, ...] = ()  # offsets into text, ascending

    def page_at(self, offset: int) -> int:
        """The number of the page that holds the code point at `offset`."""
        return self.page_numbers[bisect_right(self.page_starts, offset) - 1]


def assemble(pages: Sequence[Page]) -> DocumentText:
    """Join pages into one text. A page's text must be NFC already; joining NFC pages at line ends keeps them NFC."""
    parts: list[str] = []
    starts: list[int] = []
    headings: list[Heading] = []
    tables: list[TableRows] = []
    length = 0
    for index, page in enumerate(pages):
        text = page.text if index == len(pages) - 1 else page.text + PAGE_SEPARATOR
        starts.append(length)
        headings.extend(Heading(h.level, h.text, h.char_start + length) for h in page.headings)
        tables.extend(TableRows(t.header, t.char_start + length, t.char_end + length) for t in page.tables)
        parts.append(text)
        length += len(text)
    joined = "".join(parts)
    if not unicodedata.is_normalized("NFC", joined):
        raise ValueError("page texts must be NFC")
    return DocumentText(joined, tuple(starts), tuple(p.number for p in pages), tuple(headings), tuple(tables))
