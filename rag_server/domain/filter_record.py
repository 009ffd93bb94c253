"""A filter as a job keeps it until its worker reads it: JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from rag_server.domain.filter import AllOf, AnyOf, Comparison, Condition, Field, Filter, NoneOf, Scalar

_JOINED: Mapping[str, type[AllOf] | type[AnyOf] | type[NoneOf]] = {"all": AllOf, "any": AnyOf, "none": NoneOf}


def filter_to_record(wanted: Filter) -> Mapping[str, Any]:
    """What `filter_from_record` reads back."""
    if isinstance(wanted, Condition):
        return {
            "field": wanted.field.value,
            "comparison": wanted.comparison.value,
            "value": wanted.value,
            "path": list(wanted.path),
        }
    how = next(name for name, kind in _JOINED.items() if isinstance(wanted, kind))
    return {how: [filter_to_record(part) for part in wanted.parts]}


def filter_from_record(record: Mapping[str, Any]) -> Filter:
    """The filter."""
    if "field" in record:
        value = cast("Scalar", record["value"])
        return Condition(Field(record["field"]), Comparison(record["comparison"]), value, tuple(record["path"]))
    ((how, parts),) = record.items()
    return _JOINED[how](tuple(filter_from_record(part) for part in cast("Sequence[Mapping[str, Any]]", parts)))
