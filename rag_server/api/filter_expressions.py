"""Filters as text, after AIP-160, such as `media_type = "application/pdf" AND metadata.year >= 2020`."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NoReturn

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from rag_server.api.filter_conditions import condition, field_of
from rag_server.domain.errors import InvalidFilter
from rag_server.domain.filter import EVERYTHING, AllOf, AnyOf, Filter, NoneOf
from rag_server.domain.filter_limits import limited

MAX_BYTES = 8_192
GRAMMAR = "filter_expressions.lark"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
# What may come next, by a terminal that tells where in an expression one is.
_EXPECTED = {
    "NAME": "a field, NOT or an opening parenthesis",
    "WORD": "a value",
    "COMPARATOR": "a comparison: =, !=, <, <=, >, >= or :",
}


def parse_filter(text: str) -> Filter:
    """What the text means; no text means everything.

    :raises InvalidFilter: it says at which character, from 1, and what is expected there.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidFilter(f"The filter is longer than {MAX_BYTES} bytes.")
    try:
        return limited(_parse()(text))
    except UnexpectedInput as error:
        _refuse(error, text)


@cache
def _parse() -> Callable[[str], Filter]:
    # The tree is built as it is read, without recursion: a hostile text may be nested to any depth.
    parser = Lark.open(GRAMMAR, rel_to=__file__, parser="lalr", start="filter", transformer=_Reading())
    return parser.parse  # type: ignore[return-value] # with a transformer it returns what that makes of the text


class _Reading(Transformer[Token, Filter]):
    """Each rule of the grammar as a part of a filter."""

    @v_args(inline=True)
    def filter(self, wanted: Filter = EVERYTHING) -> Filter:
        return wanted

    @v_args(inline=True)
    def expression(self, *parts: Filter) -> Filter:
        return parts[0] if len(parts) == 1 else AllOf(parts)

    @v_args(inline=True)
    def sequence(self, *parts: Filter) -> Filter:
        return parts[0] if len(parts) == 1 else AllOf(parts)

    @v_args(inline=True)
    def factor(self, *parts: Filter) -> Filter:
        return parts[0] if len(parts) == 1 else AnyOf(parts)

    @v_args(inline=True)
    def negation(self, _: Token, part: Filter) -> Filter:
        return NoneOf((part,))

    @v_args(inline=True)
    def restriction(self, names: Sequence[Token], operator: Token, value: Token) -> Filter:
        first, *path = names
        try:
            field = field_of(str(first))
            quoted = value.type == "STRING"
            return condition(field, tuple(map(_plain, path)), str(operator), _plain(value), quoted=quoted)
        except InvalidFilter as error:
            raise InvalidFilter(f"Character {(first.start_pos or 0) + 1}: {error.message}") from None

    @v_args(inline=True)
    def path(self, *names: Token) -> Sequence[Token]:
        return names

    @v_args(inline=True)
    def value(self, token: Token) -> Token:
        return token


def _plain(token: Token) -> str:
    """A quoted text without its quotes and escapes; any other as it is."""
    if token.type != "STRING":
        return str(token)
    return _ESCAPE.sub(
        lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2]), token[1:-1]
    )


def _refuse(error: UnexpectedInput, text: str) -> NoReturn:
    expected: set[str] = set()
    place = len(text)
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        place = len(text) if error.token.type == "$END" else error.token.start_pos or 0
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
        place = error.pos_in_stream or 0
    wanted = next((told for terminal, told in _EXPECTED.items() if terminal in expected), "AND, OR or the end")
    raise InvalidFilter(f"Character {place + 1}: {wanted} is expected.") from None
