"""A chunk: the piece of a document that is embedded, found and cited."""

import hashlib
from dataclasses import dataclass

COLUMN_SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text == document_text[char_start:char_end]`; headings travel beside it, outermost first.

    Rows of a table that stand without the row that names the columns have that row as their last heading.
    """

    ordinal: int  # position in the document, from 0
    text: str
    char_start: int  # code points
    char_end: int
    page_first: int
    page_last: int
    headings: tuple[str, ...]

    @property
    def embedded_text(self) -> str:
        """What the model is given: the innermost heading, where there is one, and the text."""
        return "\n".join([*titles_of(self.headings, self.text), self.text])

    @property
    def content_hash(self) -> bytes:
        """SHA-256 of what the model is given: the key under which a vector may be reused."""
        return hashlib.sha256(self.embedded_text.encode()).digest()


def titles_of(headings: tuple[str, ...], text: str) -> list[str]:
    """The headings that are embedded with a text: the innermost, and the one above it if that one names columns."""
    names_columns = bool(headings) and COLUMN_SEPARATOR in headings[-1]
    titles = headings[-2:] if names_columns else headings[-1:]
    return [title for title in titles if not text.startswith(title)]
