"""Messages that Outlook saves (MSG). Attachments are named, not opened."""

import datetime as dt
from collections.abc import Iterator

import olefile

from rag_server.adapters.email.message import Message, write_message
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.text.decoding import decode
from rag_server.domain.extraction import Page

_MAX_BYTES = 100_000_000
# The properties of a message, by the numbers that MAPI gives them.
_SUBJECT, _SENDER, _SENDER_ADDRESS, _TO, _CC = "0037", "0C1A", "5D01", "0E04", "0E03"
_BODY, _HTML, _FILE_NAME, _SHORT_FILE_NAME = "1000", "1013", "3707", "3704"
_UNICODE, _EIGHT_BIT, _BINARY = "001F", "001E", "0102"
_PROPERTY_STREAM = "__properties_version1.0"
_HEAD_BYTES, _ENTRY_BYTES = 32, 16
_SENT = bytes.fromhex("40003900")  # the time, as the stream of fixed properties names it
_TICKS_PER_S = 10_000_000
_TICKS_BEFORE_1970_S = 11_644_473_600


def read_msg(source: Source, budget: Budget) -> Reading:
    """The message as one page."""
    budget.check_bytes("message_bytes", source.size_bytes, _MAX_BYTES)
    source.file.seek(0)
    with olefile.OleFileIO(source.file) as container:
        message = _Properties(container).message()
    if not (message.plain or message.html or message.subject):
        raise Refused(Refusal.NO_TEXT)
    return Reading(_pages(message, budget), 1, message.properties())


def _pages(message: Message, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    write_message(message, writer)
    yield writer.page(1)


class _Properties:
    """The streams of a message. Each is named by its property's number and type."""

    def __init__(self, container: "olefile.OleFileIO[str]") -> None:
        self._container = container

    def message(self) -> Message:
        address = self._text(_SENDER_ADDRESS)
        sender = self._text(_SENDER)
        return Message(
            subject=self._text(_SUBJECT),
            sender=f"{sender} <{address}>" if sender and address and address != sender else sender or address,
            to=self._text(_TO),
            cc=self._text(_CC),
            date=self._sent(),
            plain=self._text(_BODY),
            html=self._stream(f"__substg1.0_{_HTML}{_BINARY}") or self._text(_HTML).encode(),
            attachments=tuple(self._attachments()),
        )

    def _text(self, number: str, folder: str = "") -> str:
        wide = self._stream(f"{folder}__substg1.0_{number}{_UNICODE}")
        if wide:
            return wide.decode("utf-16-le", "replace").rstrip("\x00")
        return decode(self._stream(f"{folder}__substg1.0_{number}{_EIGHT_BIT}")).rstrip("\x00")

    def _stream(self, name: str) -> bytes:
        if not self._container.exists(name):
            return b""
        with self._container.openstream(name) as stream:
            data = stream.read()
        return data if isinstance(data, bytes) else b""

    def _sent(self) -> str:
        data = self._stream(_PROPERTY_STREAM)
        for start in range(_HEAD_BYTES, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            if data[start : start + 4] == _SENT:
                ticks = int.from_bytes(data[start + 8 : start + 16], "little")
                seconds = ticks / _TICKS_PER_S - _TICKS_BEFORE_1970_S
                try:
                    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")
                except (ValueError, OverflowError, OSError):
                    return ""
        return ""

    def _attachments(self) -> Iterator[str]:
        folders = {path[0] for path in self._container.listdir() if path[0].startswith("__attach_version1.0_#")}
        for folder in sorted(folders):
            name = self._text(_FILE_NAME, f"{folder}/") or self._text(_SHORT_FILE_NAME, f"{folder}/")
            if name:
                yield name
