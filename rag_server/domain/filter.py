"""Which documents, and which of their pages, are meant: conditions, and how they are joined.

`matches` is what a filter means; whatever finds documents faster must agree with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Json = str | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
Scalar = str | float | bool | None  # a whole number is a float, too: JSON has one kind of number


class Field(StrEnum):
    """What a condition looks at."""

    MEDIA_TYPE = "media_type"  # text, in lower case
    LANGUAGE = "language"  # text: ISO 639-1 in lower case; empty where unknown
    TAGS = "tags"  # texts
    DOCUMENT = "document"  # text: the document id
    DOCUMENT_KEY = "document_key"  # text
    FILE_NAME = "file_name"  # text
    CREATE_TIME = "create_time"  # of the document here: seconds since the epoch, as are all times
    UPDATE_TIME = "update_time"  # of its current version
    CREATED = "created"  # as the file says of itself; None where it does not
    MODIFIED = "modified"
    METADATA = "metadata"  # JSON, at a path
    PAGE = "page"  # the pages of a passage, from 1


class Comparison(StrEnum):
    """How a value of a document is held against that of the condition."""

    EQUAL = "="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    EXISTS = "exists"  # there is any value but null and the empty text


@dataclass(frozen=True, slots=True)
class Condition:
    """One value of a document meets a comparison.

    Of several values (tags, a list in the metadata, the pages of a passage) any may. Values of different types are
    neither equal nor in any order; texts are in the order of their code points.
    """

    field: Field
    comparison: Comparison
    value: Scalar = None  # of the field's type; not looked at by EXISTS
    path: tuple[str, ...] = ()  # of METADATA: the names that lead to the value, at least one


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds. Without parts it always does."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds. Without parts it never does."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """No part holds."""

    parts: tuple["Filter", ...]


Filter = Condition | AllOf | AnyOf | NoneOf
EVERYTHING = AllOf(())


@dataclass(frozen=True, slots=True)
class Attributes:
    """What filters can tell of the current version of a document."""

    version_id: int
    collection: str
    document_id: str
    document_key: str
    file_name: str
    media_type: str
    language: str
    tags: tuple[str, ...]
    create_time: float
    update_time: float
    created: float | None
    modified: float | None
    metadata: Mapping[str, Json]


def matches(wanted: Filter, document: Attributes, pages: range) -> bool:
    """Whether a passage of the document is meant that stands on these pages; of the whole document, all its pages."""
    match wanted:
        case AllOf(parts):
            return all(matches(part, document, pages) for part in parts)
        case AnyOf(parts):
            return any(matches(part, document, pages) for part in parts)
        case NoneOf(parts):
            return not any(matches(part, document, pages) for part in parts)
        case Condition():
            return any(meets(wanted, value) for value in values_of(wanted, document, pages))


def values_of(condition: Condition, document: Attributes, pages: range) -> Sequence[Json]:
    """What the condition looks at; empty where there is nothing."""
    if condition.field is Field.PAGE:
        return pages
    if condition.field is Field.METADATA:
        return _at(document.metadata, condition.path)
    if condition.field is Field.DOCUMENT:
        return (document.document_id,)
    value: Json = getattr(document, condition.field)
    return value if isinstance(value, tuple) else (value,)


def meets(condition: Condition, value: Json) -> bool:
    """Whether a single value meets the condition."""
    wanted = condition.value
    if condition.comparison is Comparison.EXISTS:
        return value is not None and value != ""
    if isinstance(value, bool) or isinstance(wanted, bool) or value is None or wanted is None:
        return condition.comparison is Comparison.EQUAL and value is wanted
    if isinstance(value, str) and isinstance(wanted, str):
        return _compare(condition.comparison, (value > wanted) - (value < wanted))
    if isinstance(value, int | float) and isinstance(wanted, int | float):
        return _compare(condition.comparison, (value > wanted) - (value < wanted))
    return False


def _compare(comparison: Comparison, order: int) -> bool:
    match comparison:
        case Comparison.EQUAL:
            return order == 0
        case Comparison.LESS:
            return order < 0
        case Comparison.LESS_OR_EQUAL:
            return order <= 0
        case Comparison.GREATER:
            return order > 0
        case _:
            return order >= 0


def _at(metadata: Mapping[str, Json], path: tuple[str, ...]) -> Sequence[Json]:
    """The values at a path: those of a list one by one, a whole object as one that equals nothing."""
    value: Json = metadata
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return ()
        value = value[name]
    return tuple(value) if isinstance(value, list | tuple) else (value,)
