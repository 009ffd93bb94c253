"""A chunk: the piece of a document that is embedded, found and cited."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text == document_text[char_start:char_end]`; headings travel beside it, outermost first."""

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
        if not self.headings or self.text.startswith(self.headings[-1]):
            return self.text
        return f"{self.headings[-1]}\n{self.text}"

    @property
    def content_hash(self) -> bytes:
        """SHA-256 of what the model is given: the key under which a vector may be reused."""
        return hashlib.sha256(self.embedded_text.encode()).digest()
