"""Texts that are sent without files, each a document of its own, and what becomes of them."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from rag_server.domain.document import StagedChunk, Summary

PLAIN = "text/plain"


@dataclass(frozen=True)
class TextItem:
    """One text, as it was sent."""

    document_key: str
    text: str
    title: str = ""
    media_type: str = PLAIN
    metadata_json: str = "{}"
    tags: tuple[str, ...] = ()

    @cached_property
    def encoded(self) -> bytes:
        """UTF-8: the original of the document."""
        return self.text.encode()

    @cached_property
    def sha256(self) -> str:
        """Of the original, in hexadecimal digits."""
        return hashlib.sha256(self.encoded).hexdigest()


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A text that is ready to be found. A page is its number, where it begins in the text, and its text."""

    item: TextItem
    summary: Summary
    pages: tuple[tuple[int, int, str], ...]
    chunks: tuple[StagedChunk, ...]


@dataclass(frozen=True, slots=True)
class StandingText:
    """A text whose document stands as it was sent."""

    item: TextItem


@dataclass(frozen=True, slots=True)
class RejectedText:
    """A text without a word."""

    item: TextItem


TextOutcome = PreparedText | StandingText | RejectedText


def item_from_line(line: bytes) -> TextItem:
    """A line of the file in which a gateway keeps the texts of a call: a JSON object."""
    stored = json.loads(line)
    return TextItem(
        document_key=stored["key"],
        text=stored["text"],
        title=stored["title"],
        media_type=stored["media_type"],
        metadata_json=json.dumps(stored["metadata"], ensure_ascii=False, separators=(",", ":")),
        tags=tuple(stored["tags"]),
    )


def same_metadata(left_json: str, right_json: str) -> bool:
    """Whether two JSON objects say the same, in whatever order and however written."""
    if left_json == right_json:
        return True
    return bool(json.loads(left_json) == json.loads(right_json))
