"""Filters of the contract as filters of the domain."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from acervo.rag.v1 import filter_pb2 as pb
from rag_server.api.filter_conditions import document_condition, language_condition, media_type_condition, number_of
from rag_server.api.filter_expressions import parse_filter
from rag_server.domain.errors import InvalidFilter
from rag_server.domain.filter import EVERYTHING, AllOf, AnyOf, Comparison, Condition, Field, Filter, NoneOf, Scalar
from rag_server.domain.filter_limits import limited

_COMPARISONS: Mapping[int, Comparison] = {
    pb.METADATA_OPERATOR_UNSPECIFIED: Comparison.EQUAL,
    pb.METADATA_OPERATOR_EQUAL: Comparison.EQUAL,
    pb.METADATA_OPERATOR_LESS: Comparison.LESS,
    pb.METADATA_OPERATOR_LESS_OR_EQUAL: Comparison.LESS_OR_EQUAL,
    pb.METADATA_OPERATOR_GREATER: Comparison.GREATER,
    pb.METADATA_OPERATOR_GREATER_OR_EQUAL: Comparison.GREATER_OR_EQUAL,
    pb.METADATA_OPERATOR_EXISTS: Comparison.EXISTS,
}
TimeName = Literal["create_time", "update_time", "created", "modified"]
_TIMES: Mapping[TimeName, Field] = {
    "create_time": Field.CREATE_TIME,
    "update_time": Field.UPDATE_TIME,
    "created": Field.CREATED,
    "modified": Field.MODIFIED,
}
_NAME = re.compile(r'"((?:[^"\\]|\\.)+)"|([^."]+)')
_NANOS = 1e9

ValueT = TypeVar("ValueT")


def filter_of(text: str, message: pb.Filter) -> Filter:
    """What both mean together; everything, where both are empty.

    :raises InvalidFilter: one of them cannot be understood, or they are too large.
    """
    if not text and not message.ListFields():
        return EVERYTHING
    try:
        asked = limited(_filter(message))
    except InvalidFilter as error:
        raise InvalidFilter(error.message, field="where") from None
    try:
        written = parse_filter(text)
    except InvalidFilter as error:
        raise InvalidFilter(error.message, field="filter") from None
    return limited(_together([each for each in (written, asked) if each != EVERYTHING]))


def _filter(message: pb.Filter) -> Filter:
    """Everything that is set must hold."""
    parts = [
        *_any_of(message.media_types, media_type_condition),
        *_any_of(message.languages, language_condition),
        *(Condition(Field.TAGS, Comparison.EQUAL, tag) for tag in message.tags),
        *_any_of(message.documents, document_condition),
        *_any_of(message.document_keys, lambda key: Condition(Field.DOCUMENT_KEY, Comparison.EQUAL, key)),
        *(part for name, field in _TIMES.items() for part in _times(message, name, field)),
        *(_metadata(condition) for condition in message.metadata),
        *_pages(message),
        *_any_of(message.any_of, _filter),
        *([NoneOf(tuple(map(_filter, message.none_of)))] if message.none_of else []),
    ]
    return _together(parts)


def _together(parts: Sequence[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _any_of(values: Sequence[ValueT], as_filter: Callable[[ValueT], Filter]) -> list[Filter]:
    """None where nothing is asked for."""
    return [AnyOf(tuple(as_filter(value) for value in values))] if values else []


def _times(message: pb.Filter, name: TimeName, field: Field) -> list[Filter]:
    if not message.HasField(name):
        return []
    asked: pb.TimeRange = getattr(message, name)
    bounds: list[Filter] = [Condition(field, Comparison.EXISTS)]
    if asked.HasField("start"):
        bounds.append(Condition(field, Comparison.GREATER_OR_EQUAL, _seconds(asked.start)))
    if asked.HasField("end"):
        bounds.append(Condition(field, Comparison.LESS, _seconds(asked.end)))
    return bounds[1:] or bounds


def _seconds(time: Timestamp) -> float:
    return time.seconds + time.nanos / _NANOS


def _pages(message: pb.Filter) -> list[Filter]:
    """A passage stands on pages in a row: one of them is in the stretch if it ends behind its first, and so on."""
    found: list[Filter] = []
    if not message.HasField("pages"):
        return found
    if message.pages.first > 1:
        found.append(Condition(Field.PAGE, Comparison.GREATER_OR_EQUAL, float(message.pages.first)))
    if message.pages.last:
        if message.pages.last < message.pages.first:
            raise InvalidFilter("The last page is before the first.")
        found.append(Condition(Field.PAGE, Comparison.LESS_OR_EQUAL, float(message.pages.last)))
    return found


def _metadata(condition: pb.MetadataCondition) -> Filter:
    comparison = _COMPARISONS.get(condition.operator, Comparison.EQUAL)
    path = _path(condition.path)
    if comparison is Comparison.EXISTS:
        return Condition(Field.METADATA, comparison, path=path)
    value = _value(condition.value)
    if comparison is not Comparison.EQUAL and (value is None or isinstance(value, bool)):
        raise InvalidFilter("Truth values and null have no order.")
    return Condition(Field.METADATA, comparison, value, path)


def _path(written: str) -> tuple[str, ...]:
    """The names of `contract."file.no"`."""
    names: list[str] = []
    place = 0
    while True:
        name = _NAME.match(written, place)
        if name is None:
            raise InvalidFilter(
                'A path of the metadata is names joined by dots; one with a dot stands in quotes ("a.b").'
            )
        names.append(re.sub(r"\\(.)", r"\1", name[1]) if name[1] else name[2])
        place = name.end()
        if place == len(written):
            return tuple(names)
        if written[place] != ".":
            raise InvalidFilter("A dot stands between the names of a path of the metadata.")
        place += 1


def _value(value: Value) -> Scalar:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return number_of(value.number_value)
        case "bool_value":
            return value.bool_value
        case "null_value":
            return None
        case _:
            raise InvalidFilter("A condition on the metadata needs a text, a number, a truth value or null.")
