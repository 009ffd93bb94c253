"""Cutting a document into chunks that fit the embedding model's window, at the cleanest borders there are."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.borders import Borders, Strength, find_borders
from rag_server.domain.chunk import Chunk, titles_of
from rag_server.domain.extraction import DocumentText, TableRows
from rag_server.domain.sections import Section, find_sections, join_short
from rag_server.domain.token_spans import TokenSpans

_NOT_SPACE = re.compile(r"\S")
_LEAST_TOKENS = 16
_LONGEST_TITLE_CHARS = 400
# A title takes at most half a chunk and the names of a table's columns a third: some room is always left.
_SHARE_OF_COLUMN_NAMES = 3
# With the bundled model this length found best, with and without lexical search; overlap gained nothing
# (docs/decisions/0005-bundled-model.md).
_USUAL_TOKENS = 192


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """How long chunks are, in tokens of the embedder. `max_tokens` counts the heading that is embedded with the text.

    Raises ValueError where no split could keep them.
    """

    max_tokens: int = _USUAL_TOKENS
    overlap_tokens: int = 0  # repeated, in whole sentences, from the chunk before it in the same section
    min_tokens: int = _USUAL_TOKENS // 4  # shorter sections are joined, shorter tails balanced

    def __post_init__(self) -> None:
        if not (self.max_tokens >= _LEAST_TOKENS and 0 <= self.overlap_tokens <= self.max_tokens // 4):
            raise ValueError(f"a chunk needs at least {_LEAST_TOKENS} tokens, and at most a quarter of them as overlap")
        if not 0 <= self.min_tokens <= self.max_tokens // 4:
            raise ValueError("min_tokens may be at most a quarter of max_tokens")

    @classmethod
    def within(cls, window_tokens: int) -> Self:
        """The usual limits, or shorter ones for a model with a small window."""
        # A word that is cut may make a token or two more than its parts did in the whole text.
        max_tokens = min(_USUAL_TOKENS, window_tokens - window_tokens // 16)
        return cls(max_tokens, 0, max_tokens // 4)


def split(document: DocumentText, token_offsets: NDArray[np.int32], limits: ChunkLimits) -> list[Chunk]:
    """The chunks in reading order. Together they hold every character that is not white space.

    `token_offsets` (n, 2) are the code point ranges of the tokens of the whole text, ascending.
    """
    # Half the limit at most goes to a title, whatever the tokenizer makes of it.
    sections = find_sections(document, max_title_chars=limits.max_tokens // 2)
    spans = TokenSpans(token_offsets, len(document.text))
    cutter = _Cutter(document, sections, spans, limits)
    ranges = (
        piece
        for group in join_short(sections, spans.count, limits.min_tokens)
        for piece in cutter.pieces(group[0].start, group[-1].end)
    )
    return [
        Chunk(
            ordinal=ordinal,
            text=document.text[start:end],
            char_start=start,
            char_end=end,
            page_first=document.page_at(start),
            page_last=document.page_at(end - 1),
            headings=cutter.path_at(start),
        )
        for ordinal, (start, end) in enumerate(ranges)
    ]


class _Cutter:
    def __init__(self, document: DocumentText, sections: list[Section], spans: TokenSpans, limits: ChunkLimits) -> None:
        self._text = document.text
        self._tables = document.tables
        self._table_starts = [table.char_start for table in document.tables]
        self._sections = sections
        self._section_starts = [section.start for section in sections]
        self._spans = spans
        self._limits = limits

    @cached_property
    def _borders(self) -> Borders:
        """Looked for when something has to be cut: most short texts are one piece."""
        return find_borders(self._text, self._section_starts, self._tables)

    def section_at(self, offset: int) -> Section:
        return self._sections[bisect_right(self._section_starts, offset) - 1]

    def path_at(self, offset: int) -> tuple[str, ...]:
        """The headings over an offset; inside a table, the names of its columns are the last."""
        path = self.section_at(offset).path
        index = bisect_right(self._table_starts, offset) - 1
        if index < 0 or offset >= self._tables[index].char_end:
            return path
        table = self._tables[index]
        is_short = table.header and self._header_tokens(table) <= self._limits.max_tokens // _SHARE_OF_COLUMN_NAMES
        return (*path, table.header) if is_short else path

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges that [start, end) is cut into, without white space around them."""
        end = self._without_trailing_space(start, end)
        start = done = self._skip_space(start, end)
        while done < end:
            cut = self._cut(start, done, end)
            yield start, self._without_trailing_space(start, cut)
            done = self._skip_space(cut, end)
            start = self._overlap_start(start, done, end)

    def _cut(self, start: int, done: int, end: int) -> int:
        """Where the piece from `start` ends; after `done`, which the piece before it has reached."""
        room = self._room(start)
        if self._spans.count(start, end) <= room:
            return end
        high = self._spans.end_within(start, room)
        balanced = max(done + 1, self._leaving_a_tail(start, end, high))
        middle = max(done, self._spans.end_within(start, room // 2))
        return (
            self._cleanest(middle, balanced)
            or self._before_sentence(done, middle, end, room)
            or self._cleanest(middle, high)
            or self._borders.last(Strength.LINE, middle, balanced)
            or self._word_start(middle, balanced)
            or balanced
        )

    def _leaving_a_tail(self, start: int, end: int, high: int) -> int:
        # What is left must not be tiny: the last two share what there is.
        if self._spans.count(high, end) >= self._limits.min_tokens:
            return high
        return self._spans.end_within(start, self._spans.count(start, end) - self._limits.min_tokens)

    def _cleanest(self, above: int, upto: int) -> int | None:
        for strength in (Strength.SECTION, Strength.PARAGRAPH, Strength.SENTENCE):
            if (border := self._borders.last(strength, above, upto)) is not None:
                return border
        return None

    def _before_sentence(self, above: int, upto: int, end: int, room: int) -> int | None:
        """The last sentence start in (above, upto], if the sentence fits one piece and so need not be cut."""
        border = self._borders.last(Strength.SENTENCE, above, upto)
        if border is None:
            return None
        sentence_end = min(end, self._borders.first(Strength.SENTENCE, border) or end)
        return border if self._spans.count(border, sentence_end) <= room else None

    def _word_start(self, above: int, upto: int) -> int | None:
        return next((at for at in range(upto, above, -1) if self._text[at - 1].isspace()), None)

    def _overlap_start(self, start: int, done: int, end: int) -> int:
        """Where the next piece starts: sentences before `done` are repeated if they leave room for the next one."""
        if self._limits.overlap_tokens == 0 or done == end:
            return done
        section_start = self.section_at(done).start
        earliest = max(start, section_start, self._spans.start_within(done, self._limits.overlap_tokens))
        border = self._borders.first(Strength.SENTENCE, max(start, earliest - 1))
        if border is None or border >= done:
            return done
        sentence_end = min(end, self._borders.first(Strength.SENTENCE, done) or end)
        return border if self._spans.count(border, sentence_end) <= self._room(border) else done

    def _room(self, start: int) -> int:
        """Tokens for a piece that starts here: its title is embedded with it, unless the text begins with it."""
        titles = titles_of(self.path_at(start), self._text[start : start + _LONGEST_TITLE_CHARS])
        return self._limits.max_tokens - sum(self._title_tokens(title, start) for title in titles)

    def _title_tokens(self, title: str, start: int) -> int:
        section = self.section_at(start)
        if self._text.startswith(title, section.start):
            return self._spans.count(section.start, section.start + len(title))
        index = bisect_right(self._table_starts, start) - 1
        if index >= 0 and self._tables[index].header == title:
            return self._header_tokens(self._tables[index])
        return len(title) // 2 + 1  # it stands otherwise in the text: a high guess

    def _header_tokens(self, table: TableRows) -> int:
        start = table.char_start - len(table.header) - 1
        if start >= 0 and self._text.startswith(table.header, start):
            return self._spans.count(start, table.char_start - 1)
        return len(table.header) // 2 + 1

    def _skip_space(self, start: int, end: int) -> int:
        match = _NOT_SPACE.search(self._text, start, end)
        return match.start() if match else end

    def _without_trailing_space(self, start: int, end: int) -> int:
        while end > start and self._text[end - 1].isspace():
            end -= 1
        return end
