"""RTF: paragraphs, tables, notes and page breaks, with the headings that its styles name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.rtf import destinations, encodings
from rag_server.adapters.rtf.destinations import Destination
from rag_server.adapters.rtf.information import Information, StyleSheet
from rag_server.adapters.rtf.tokens import Kind, Token, tokens_of
from rag_server.domain.extraction import Page

_TEXT_OF_WORD = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ", "lbr": "\n",
}  # fmt: skip
_TEXT_OF_SYMBOL = {"~": "\u00a0", "_": "-", "{": "{", "}": "}", "\\": "\\", "\t": "\t"}
_ENDS_PARAGRAPH = frozenset({"par", "\n", "\r"})
_ENDS_PAGE = frozenset({"page", "sect"})
_SURROGATES = re.compile("[\ud800-\udfff]+")
_DEEPEST = 10_000
_MOST_BYTES_PER_CHAR = 32


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits and gives back at its end."""

    destination: Destination = Destination.BODY
    encoding: str = ""
    is_hidden: bool = False
    fallback_chars: int = 1  # after \\u, for readers that do not know it


@dataclass(slots=True)
class _Paragraph:
    """The paragraph that is being read."""

    pieces: list[str] = field(default_factory=list)
    level: int = 0
    in_table: bool = False


def read_rtf(source: Source, budget: Budget) -> Reading:
    """One page per page that the author asked for. The whole is read before the first page goes out."""
    budget.check_bytes("rtf_bytes", source.size_bytes, budget.limits.max_text_chars * _MOST_BYTES_PER_CHAR)
    reader = _Reader(budget)
    pages = list(reader.pages(tokens_of(source.contents())))
    budget.expect_pages(len(pages))
    return Reading(iter(pages), len(pages), reader.information.properties())


class _Reader:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._writer = PageWriter(budget)
        self.information = Information()
        self._styles = StyleSheet()
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._default_encoding = "cp1252"
        self._state = _State()
        self._stack: list[_State] = []
        self._begins_group = False
        self._is_optional = False
        self._skip_chars = 0
        self._bytes = bytearray()
        self._paragraph = _Paragraph()
        self._cells: list[str] = []
        self._in_rows = False
        self._notes: list[str] = []
        self._note: list[str] = []
        self._margins: dict[str, None] = {}
        self._margin: list[str] = []
        self._number = 1

    def pages(self, tokens: Iterator[Token]) -> Iterator[Page]:
        for token in tokens:
            self._budget.alive()
            if token.kind is Kind.BYTES:
                self._take_bytes(token)
                continue
            self._flush_bytes()
            if token.kind is Kind.WORD and token.text in _ENDS_PAGE and self._state.destination is Destination.BODY:
                self._end_paragraph()
                if not self._writer.is_empty:
                    yield self._end_page()
            else:
                self._take(token)
            if token.kind is Kind.CLOSE and not self._stack:
                break  # what follows the document's own group is not part of it
        self._flush_bytes()
        self._end_paragraph()
        for margin in self._margins:
            self._writer.paragraph(margin)
        if not self._writer.is_empty or self._notes or self._number == 1:
            yield self._end_page()

    def _take(self, token: Token) -> None:
        if token.kind is Kind.OPEN:
            self._open()
        elif token.kind is Kind.CLOSE:
            self._close()
        elif token.kind is Kind.SYMBOL:
            self._take_symbol(token.text)
        else:
            self._take_word(token.text, token.number)
            self._begins_group = self._is_optional = False

    def _open(self) -> None:
        if len(self._stack) < _DEEPEST:
            self._stack.append(self._state)
        self._begins_group, self._is_optional = True, False

    def _close(self) -> None:
        left = self._state.destination
        self._state = self._stack.pop() if self._stack else _State(Destination.NOWHERE)
        if left is not self._state.destination:
            self._leave(left)
        self._begins_group = False
        self._skip_chars = 0

    def _leave(self, left: Destination) -> None:
        if left is Destination.FOOTNOTE:
            self._notes.append("".join(self._note))
            self._note.clear()
        elif left is Destination.MARGIN:
            text = "".join(self._margin).strip()
            if text:
                self._margins.setdefault(text)
            self._margin.clear()
        elif left is Destination.INFO:
            self.information.end_group()

    def _take_word(self, word: str, number: int | None) -> None:
        if self._begins_group and self._enter(word):
            return
        if word == "u" and number is not None:
            self._take_text(chr(number % 0x10000))
            self._skip_chars = self._state.fallback_chars
        elif word == "uc":
            self._state = replace(self._state, fallback_chars=max(number or 0, 0))
        elif word in _TEXT_OF_WORD:
            self._take_text(_TEXT_OF_WORD[word])
        elif self._state.destination is Destination.FONTS:
            self._define_font(word, number)
        elif self._state.destination is Destination.STYLES:
            self._styles.take_word(word, number)
        elif self._state.destination is Destination.INFO:
            self.information.take_word(word, number)
        else:
            self._format(word, number)

    def _enter(self, word: str) -> bool:
        """Whether the word, the first of its group, says where the group's text goes."""
        if self._state.destination is Destination.INFO:
            self.information.begin_group(word)
            return False
        is_drawing = word in destinations.KNOWN_OPTIONAL
        destination = destinations.OF_WORD.get(word)
        if destination is None and (not self._is_optional or is_drawing):
            return False
        if self._state.destination is Destination.NOWHERE and not is_drawing:
            return True
        self._state = replace(self._state, destination=destination or Destination.NOWHERE)
        return True

    def _format(self, word: str, number: int | None) -> None:
        if word in encodings.OF_WORD:
            self._default_encoding = encodings.OF_WORD[word]
        elif word == "ansicpg":
            self._default_encoding = encodings.of_code_page(number or 0)
        elif word == "f":
            self._state = replace(self._state, encoding=self._fonts.get(number or 0, ""))
        elif word in {"v", "deleted", "htmlrtf"}:
            self._state = replace(self._state, is_hidden=number != 0)
        elif word == "plain":
            self._state = replace(self._state, is_hidden=False, encoding="")
        elif self._state.destination is Destination.BODY:
            self._shape_paragraph(word, number)
        elif word in _ENDS_PARAGRAPH:
            self._take_text("\n")

    def _shape_paragraph(self, word: str, number: int | None) -> None:
        if word in _ENDS_PARAGRAPH:
            if self._paragraph.in_table:
                self._paragraph.pieces.append("\n")
            else:
                self._end_paragraph()
        elif word in {"cell", "nestcell"}:
            self._cells.append("".join(self._paragraph.pieces))
            self._paragraph.pieces.clear()
        elif word in {"row", "nestrow"}:
            self._writer.row(self._cells, first=not self._in_rows)
            self._cells, self._in_rows = [], True
        elif word == "pard":
            self._paragraph.level, self._paragraph.in_table = 0, False
        elif word == "intbl":
            self._paragraph.in_table = True
        elif word == "s":
            self._paragraph.level = self._styles.level(number or 0)
        elif word == "outlinelevel" and number is not None:
            self._paragraph.level = number + 1 if 0 <= number < 9 else 0  # noqa: PLR2004 - nine is body text

    def _define_font(self, word: str, number: int | None) -> None:
        if word == "f":
            self._font = number or 0
        elif word == "fcharset":
            self._fonts[self._font] = encodings.of_font(number or 0, "")

    def _take_symbol(self, symbol: str) -> None:
        if symbol == "*":
            self._is_optional = True
        elif symbol in _ENDS_PARAGRAPH:
            self._format(symbol, None)
        elif symbol in _TEXT_OF_SYMBOL:
            self._take_text(_TEXT_OF_SYMBOL[symbol])

    def _take_bytes(self, token: Token) -> None:
        self._begins_group = self._is_optional = False
        data = token.data
        if self._skip_chars:
            skipped = min(self._skip_chars, len(data))
            self._skip_chars -= skipped
            data = data[skipped:]
        self._bytes += data

    def _flush_bytes(self) -> None:
        if self._bytes:
            encoding = self._state.encoding or self._default_encoding
            text = self._bytes.decode(encoding, "replace")
            self._bytes.clear()
            self._take_text(text)

    def _take_text(self, text: str) -> None:
        state = self._state
        if state.is_hidden or state.destination in {Destination.NOWHERE, Destination.FONTS}:
            return
        if state.destination is Destination.BODY:
            self._paragraph.pieces.append(text)
        elif state.destination is Destination.FOOTNOTE:
            self._note.append(text)
        elif state.destination is Destination.MARGIN:
            self._margin.append(text)
        elif state.destination is Destination.STYLES:
            self._styles.take_text(text)
        else:
            self.information.take_text(text)

    def _end_paragraph(self) -> None:
        text = _whole("".join(self._paragraph.pieces))
        self._paragraph.pieces.clear()
        if not text.strip():
            return
        self._in_rows = False
        if self._paragraph.level:
            self._writer.heading(self._paragraph.level, text)
        else:
            self._writer.paragraph(text)

    def _end_page(self) -> Page:
        for note in self._notes:
            self._writer.paragraph(_whole(note).strip())
        self._notes.clear()
        self._in_rows = False
        page = self._writer.page(self._number)
        self._number += 1
        self._budget.expect_pages(self._number - 1)
        return page


def _whole(text: str) -> str:
    """The text with the two halves joined that RTF makes of a character beyond the basic plane."""
    return _SURROGATES.sub(
        lambda match: match.group().encode("utf-16", "surrogatepass").decode("utf-16", "ignore"), text
    )
