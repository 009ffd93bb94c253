"""The parent's view of one answer: every frame is checked as if a hostile document had written it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rag_server.adapters.extractor_process.frames import PIECE_CHARS
from rag_server.adapters.extractor_process.pictures import PictureInPieces
from rag_server.adapters.extractor_process.tables import checked_tables
from rag_server.adapters.parsing import media_types
from rag_server.adapters.parsing.cleaning import clean, clean_line, is_clean
from rag_server.adapters.parsing.page_writer import MAX_HEADING_CHARS, MAX_HEADINGS_PER_PAGE
from rag_server.adapters.parsing.refusals import Refusal, failure_of
from rag_server.domain.extraction import Extraction, ExtractionLimits, Heading, Page
from rag_server.domain.failure import SENTENCES, Failure, FailureReason, IngestionFailed

_MEDIA_TYPES = media_types.BINARY | media_types.TEXT
_MAY_BE_PICTURES = media_types.PICTURES | {media_types.PDF}
_NONE_RECOGNISED = "The file has no text: it is empty or made of pictures in which no text was recognised."
_PROPERTIES = ("title", "author", "language", "created", "modified")
_MAX_PROPERTY_CHARS = 500
_DETAIL_NAMES = frozenset({"which", "asked", "allowed", "error", "at"})
_DETAIL = re.compile(r"[\w.:-]{0,80}", re.ASCII)
_MOST_PAGES_NAMED = 20
_DEEPEST_LEVEL = 9
# More than any book has; what comes after them is left out.
_MOST_HEADINGS = 100_000
_MOST_TABLES = 100_000
# The child shows that it is alive every few seconds; one that does so all the time keeps the parent busy.
_ALIVE_PER_S = 1.0
_ALIVE_SLACK = 100
# What still leaves the pages before it worth having.
_SALVAGED = frozenset({FailureReason.CORRUPT, FailureReason.OUT_OF_MEMORY})


class Misbehaved(Exception):
    """The child said something that no honest child says."""


class Answer:
    """Collects the frames of one document until the last."""

    def __init__(self, limits: ExtractionLimits, why_no_pictures: str = "") -> None:
        self._limits = limits
        self._why_no_pictures = why_no_pictures  # a sentence, "" where text in pictures is read
        self._picture = PictureInPieces()
        self.pending_picture: bytes | None = None  # of the page that comes next; to be answered by `recognised`
        self._media_type = ""
        self._properties: dict[str, str] = {}
        self._pages: list[Page] = []
        self._skipped: list[int] = []
        self._damaged: list[int] = []
        self._pieces: list[str] = []
        self._piece_page = 0
        self._last_number = 0
        self._chars = 0
        self._headings = 0
        self._tables = 0
        self._alive_left = int(limits.document_timeout_s * _ALIVE_PER_S) + _ALIVE_SLACK
        self.pages_total = 0
        self._failure: Failure | None = None
        self._is_over = False

    @property
    def is_over(self) -> bool:
        return self._is_over

    @property
    def is_out_of_memory(self) -> bool:
        """Whether the child gave up for want of memory: it is not to be trusted with another document."""
        return self._failure is not None and self._failure.reason is FailureReason.OUT_OF_MEMORY

    @property
    def media_type(self) -> str:
        return self._media_type

    @property
    def pages_done(self) -> int:
        return len(self._pages) + len(self._skipped)

    @property
    def has_text(self) -> bool:
        return any(page.text for page in self._pages)

    def accept(self, payload: bytes) -> bool:
        """Take one frame in. Whether it completed a page.

        :raises Misbehaved: the frame is not as the protocol has it, or says more than allowed.
        """
        message = parse_frame(payload)
        kind = message.get("kind")
        done = self.pages_done
        try:
            if kind == "start":
                self._start(message)
            elif kind == "failed":
                self._fail(message)
            elif kind == "alive":
                self._take_alive()
            elif not self._media_type:
                raise Misbehaved("page before start")
            elif kind == "page":
                self._take_page(message)
            elif kind == "picture":
                self._take_picture(message)
            elif kind == "skipped":
                self._skipped.append(self._next_number(message))
            elif kind == "end":
                self._is_over = True
            else:
                raise Misbehaved("unknown frame")
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise Misbehaved("malformed frame") from error
        return self.pages_done > done

    def outcome(self) -> Extraction:
        """What the finished answer comes to.

        :raises IngestionFailed: no page has text, or the failure leaves nothing worth keeping.
        """
        if self._failure is not None:
            if self._failure.reason in _SALVAGED and self.has_text:
                return self.partial(self._failure)
            raise IngestionFailed(self._failure)
        if not self.has_text:
            reason = FailureReason.CORRUPT if self._skipped or self._damaged else FailureReason.NO_TEXT
            sentence = self._why_no_text() if reason is FailureReason.NO_TEXT else ""
            raise IngestionFailed(Failure(reason, sentence, {"pages": str(self.pages_done)}))
        return self._extraction(self._damage())

    def _why_no_text(self) -> str:
        if self._media_type not in _MAY_BE_PICTURES:
            return ""
        if not self._why_no_pictures:
            return _NONE_RECOGNISED
        return f"{SENTENCES[FailureReason.NO_TEXT]} {self._why_no_pictures}"

    def partial(self, failure: Failure) -> Extraction:
        """The pages that came before reading stopped; the failure tells why the others are missing."""
        read = {"pages_read": str(self.pages_done), "pages_total": str(self.pages_total)}
        message = f"Only the first {self.pages_done} pages could be read. {failure.sentence}"
        return self._extraction(Failure(failure.reason, message, {**failure.detail, **read}))

    def _extraction(self, problem: Failure | None) -> Extraction:
        total = max(self.pages_total, self.pages_done)
        return Extraction(self._media_type, tuple(self._pages), total, self._properties, problem)

    def _damage(self) -> Failure | None:
        """What is wrong with some of the pages, None if all is well."""
        said, detail = [], {}
        if self._skipped:
            said.append(f"{len(self._skipped)} of {self.pages_done} pages are damaged and could not be read.")
            detail["pages_unreadable"] = _named(self._skipped)
        if self._damaged:
            said.append(f"{len(self._damaged)} of {self.pages_done} pages are damaged and may lack some of their text.")
            detail["pages_damaged"] = _named(self._damaged)
        return Failure(FailureReason.CORRUPT, " ".join(said), detail) if said else None

    def _start(self, message: Mapping[str, Any]) -> None:
        if self._media_type or message["media_type"] not in _MEDIA_TYPES:
            raise Misbehaved("start")
        self._media_type = message["media_type"]
        self.pages_total = _integer(message["pages_total"], 0, self._limits.max_pages)
        for name in _PROPERTIES:
            value = clean_line(str(message["properties"].get(name, "")))[:_MAX_PROPERTY_CHARS].strip()
            if value:
                self._properties[name] = value

    def _take_picture(self, message: Mapping[str, Any]) -> None:
        if self._why_no_pictures or self._pieces:
            raise Misbehaved("picture not asked for")
        if not self._picture.is_open:
            self._piece_page = self._next_number(message)
        elif message["number"] != self._piece_page:
            raise Misbehaved("picture not finished")
        self.pending_picture = self._picture.take(message)

    def recognised(self, text: str | None) -> None:
        """Take in the text of the pending picture, None if it could not be recognised.

        :raises Misbehaved: it is more text than allowed.
        """
        self.pending_picture = None
        if text is None:
            self._skipped.append(self._piece_page)
            return
        cleaned = clean(text)
        self._chars += len(cleaned)
        if self._chars > self._limits.max_text_chars:
            raise Misbehaved("more text than allowed")
        self._pages.append(Page(self._piece_page, cleaned))

    def _take_alive(self) -> None:
        self._alive_left -= 1
        if self._alive_left < 0:
            raise Misbehaved("too many signs of life")

    def _take_page(self, message: Mapping[str, Any]) -> None:
        text, number = message["text"], message["number"]
        if self._picture.is_open:
            raise Misbehaved("picture not finished")
        self._chars += len(text)
        if self._chars > self._limits.max_text_chars:
            raise Misbehaved("more text than allowed")
        if self._pieces and number != self._piece_page:
            raise Misbehaved("page not finished")
        if not self._pieces:
            self._piece_page = self._next_number(message)
        self._pieces.append(text)
        if message["more"] is True:
            if len(text) != PIECE_CHARS:
                raise Misbehaved("short piece")
        else:
            whole = "".join(self._pieces)
            self._pieces = []
            headings = message["headings"][: _MOST_HEADINGS - self._headings]
            page = _page(self._piece_page, whole, headings, message["tables"][: _MOST_TABLES - self._tables])
            self._headings += len(page.headings)
            self._tables += len(page.tables)
            self._pages.append(page)
            if message["damaged"] is True:
                self._damaged.append(self._piece_page)

    def _next_number(self, message: Mapping[str, Any]) -> int:
        self._last_number = _integer(message["number"], self._last_number + 1, self._limits.max_pages)
        return self._last_number

    def _fail(self, message: Mapping[str, Any]) -> None:
        detail = {
            name: value
            for name, value in message["detail"].items()
            if name in _DETAIL_NAMES and isinstance(value, str) and _DETAIL.fullmatch(value)
        }
        refusal = Refusal(message["refusal"])
        self._failure = failure_of(refusal, detail)
        if refusal is Refusal.PICTURE and self._why_no_pictures:
            self._failure = replace(self._failure, message=f"The file is a picture. {self._why_no_pictures}")
        self._is_over = True


def _named(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers[:_MOST_PAGES_NAMED])


def parse_frame(payload: bytes) -> Mapping[str, Any]:
    """A frame's fields.

    :raises Misbehaved: the payload is no JSON object in UTF-8.
    """
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Misbehaved("no JSON") from error
    if not isinstance(message, dict):
        raise Misbehaved("no object")
    return message


def _page(number: int, text: str, headings: list[Any], tables: list[Any]) -> Page:
    if not is_clean(text) or len(headings) > MAX_HEADINGS_PER_PAGE:
        raise Misbehaved("page text")
    checked: list[Heading] = []
    start = 0
    for level, char_start, title in headings:
        start = _integer(char_start, start, len(text))
        if not 0 < len(title) <= MAX_HEADING_CHARS or not text.startswith(title, start):
            raise Misbehaved("heading")
        checked.append(Heading(_integer(level, 1, _DEEPEST_LEVEL), title, start))
    return Page(number, text, tuple(checked), checked_tables(tables, text))


def _integer(value: object, lowest: int, highest: int) -> int:
    if type(value) is not int or not lowest <= value <= highest:
        raise Misbehaved("number")
    return value
