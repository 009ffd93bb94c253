"""RTF to tokens: groups, control words, characters. Binary data is stepped over."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\x00]+|([^\\{}\r\n\x00]+)",
    re.DOTALL,
)


class Kind(Enum):
    """What a token is."""

    OPEN = auto()
    CLOSE = auto()
    WORD = auto()  # a control word, with its number if it has one
    SYMBOL = auto()  # a control symbol such as \\~
    BYTES = auto()  # text in the encoding of the font


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` is a control word's or symbol's name."""

    kind: Kind
    text: str = ""
    number: int | None = None
    data: bytes = b""


_OPEN, _CLOSE = Token(Kind.OPEN), Token(Kind.CLOSE)


def tokens_of(data: bytes) -> Iterator[Token]:
    """The tokens in order. A lone backslash at the end is dropped."""
    at = 0
    while at < len(data):
        match = _TOKEN.match(data, at)
        if match is None:
            at += 1
            continue
        at = match.end()
        word, number, escaped, symbol, brace, text = match.groups()
        if text is not None:
            yield Token(Kind.BYTES, data=text)
        elif brace is not None:
            yield _OPEN if brace == b"{" else _CLOSE
        elif escaped is not None:
            yield Token(Kind.BYTES, data=bytes.fromhex(escaped.decode()))
        elif symbol is not None:
            yield Token(Kind.SYMBOL, symbol.decode("latin-1"))
        elif word is not None:
            value = None if number is None else int(number)
            if word == b"bin" and value is not None:
                at += max(value, 0)
            else:
                yield Token(Kind.WORD, word.decode(), value)
