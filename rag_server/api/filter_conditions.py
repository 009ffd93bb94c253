"""One written condition as one of the domain: field, comparison and value, each checked against the others."""

import difflib
import math
import re
from collections.abc import Mapping

from rag_server.domain.errors import InvalidFilter
from rag_server.domain.filter import AllOf, Comparison, Condition, Field, Filter, NoneOf, Scalar
from rag_server.domain.time_spans import compared, span_of

FIELDS: Mapping[str, Field] = {**{field.value: field for field in Field}, "tag": Field.TAGS, "key": Field.DOCUMENT_KEY}
TIMES = frozenset({Field.CREATE_TIME, Field.UPDATE_TIME, Field.CREATED, Field.MODIFIED})
ANYTHING = "*"
_COMPARISONS: Mapping[str, Comparison] = {
    ":": Comparison.EQUAL,  # of several values one; EXISTS before an asterisk
    "!=": Comparison.EQUAL,  # none
    **{comparison.value: comparison for comparison in Comparison if comparison is not Comparison.EXISTS},
}
_EQUALITIES = frozenset({":", "=", "!="})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_CONSTANTS: Mapping[str, Scalar] = {"true": True, "false": False, "null": None}
_LONGEST_TOLD_NAME = 64


def field_of(name: str) -> Field:
    """The field with this name. Raises InvalidFilter, with the nearest name."""
    if name in FIELDS:
        return FIELDS[name]
    near = difflib.get_close_matches(name, FIELDS, 1, cutoff=0)
    raise InvalidFilter(f"There is no field {name[:_LONGEST_TOLD_NAME]}; the nearest is {near[0]}.")


def condition(field: Field, path: tuple[str, ...], operator: str, written: str, *, quoted: bool) -> Filter:
    """What is written as `field.path operator value`. Raises InvalidFilter.

    `!=` holds, too, where there is no value at all.
    """
    if (field is Field.METADATA) != bool(path):
        wanted = "needs a path, such as metadata.author" if field is Field.METADATA else "has no parts"
        raise InvalidFilter(f"The field {field} {wanted}.")
    if not quoted and ANYTHING in written:
        return _with_asterisk(field, path, operator, written)
    found = _condition(field, path, operator, written, quoted=quoted)
    return NoneOf((found,)) if operator == "!=" else found


def media_type_condition(media_type: str) -> Filter:
    """A media type, or all of a kind: `text/*`."""
    wanted = media_type.strip().lower()
    if ANYTHING not in wanted:
        return Condition(Field.MEDIA_TYPE, Comparison.EQUAL, wanted)
    kind, slash, rest = wanted.partition("/")
    if rest != ANYTHING or not kind or ANYTHING in kind:
        raise InvalidFilter("An asterisk in a media type stands alone behind the slash: text/*.")
    after = chr(ord(slash) + 1)  # the first that no longer begins with the kind and a slash
    begins = Condition(Field.MEDIA_TYPE, Comparison.GREATER_OR_EQUAL, kind + slash)
    return AllOf((begins, Condition(Field.MEDIA_TYPE, Comparison.LESS, kind + after)))


def language_condition(language: str) -> Condition:
    """A language; a region is not looked at."""
    return Condition(Field.LANGUAGE, Comparison.EQUAL, language.strip().lower().replace("_", "-").partition("-")[0])


def document_condition(name: str) -> Condition:
    """A document by its name or bare id."""
    return Condition(Field.DOCUMENT, Comparison.EQUAL, name.rpartition("/")[2])


def number_of(value: float) -> float:
    """The number, where it is one that metadata can hold. Raises InvalidFilter."""
    if not math.isfinite(value):
        raise InvalidFilter("A number in a filter is finite.")
    return float(value)


def _condition(field: Field, path: tuple[str, ...], operator: str, written: str, *, quoted: bool) -> Filter:
    if field is Field.METADATA:
        return _of_metadata(path, operator, written, quoted=quoted)
    if field is Field.PAGE:
        return Condition(field, _COMPARISONS[operator], _page(written))
    if field in TIMES:
        span = span_of(written)
        if span is None:
            raise InvalidFilter(
                f"The field {field} takes a time: 2024, 2024-05, 2024-05-31 or one with a zone, 2024-05-31T08:00:00Z."
            )
        return compared(field, _COMPARISONS[operator], span)
    if operator not in _EQUALITIES:
        raise InvalidFilter(f"The field {field} has no order: use =, != or :.")
    return _of_text(field, written)


def _of_text(field: Field, written: str) -> Filter:
    match field:
        case Field.MEDIA_TYPE:
            return media_type_condition(written)
        case Field.LANGUAGE:
            return language_condition(written)
        case Field.DOCUMENT:
            return document_condition(written)
        case _:
            return Condition(field, Comparison.EQUAL, written)


def _with_asterisk(field: Field, path: tuple[str, ...], operator: str, written: str) -> Filter:
    if written == ANYTHING and operator == ":" and field is not Field.PAGE:
        return Condition(field, Comparison.EXISTS, path=path)
    if field is Field.MEDIA_TYPE and operator in _EQUALITIES:
        found = media_type_condition(written)
        return NoneOf((found,)) if operator == "!=" else found
    raise InvalidFilter(
        f"The field {field} takes an asterisk alone, behind a colon, for any value; text with one stands in quotes."
    )


def _of_metadata(path: tuple[str, ...], operator: str, written: str, *, quoted: bool) -> Filter:
    value: Scalar = written
    if not quoted:
        value = _CONSTANTS.get(written, number_of(float(written)) if _NUMBER.fullmatch(written) else written)
    if operator not in _EQUALITIES and (value is None or isinstance(value, bool)):
        raise InvalidFilter("Truth values and null have no order: use =, != or :.")
    return Condition(Field.METADATA, _COMPARISONS[operator], value, path)


def _page(written: str) -> float:
    if not (written.isascii() and written.isdigit()):
        raise InvalidFilter("The field page takes a whole number.")
    return float(number_of(float(written)))
