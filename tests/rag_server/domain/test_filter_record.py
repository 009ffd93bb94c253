"""A filter comes back from its record as it was."""

import json

import pytest

from rag_server.domain.filter import EVERYTHING, AllOf, AnyOf, Comparison, Condition, Field, Filter, NoneOf
from rag_server.domain.filter_record import filter_from_record, filter_to_record

YEAR = Condition(Field.METADATA, Comparison.GREATER, 2020.5, ("a", "b.c"))


@pytest.mark.parametrize(
    "wanted",
    [
        EVERYTHING,
        YEAR,
        Condition(Field.TAGS, Comparison.EXISTS),
        AnyOf((YEAR, NoneOf((Condition(Field.LANGUAGE, Comparison.EQUAL, "pt"), AllOf(()))))),
        Condition(Field.METADATA, Comparison.EQUAL, True, ("x",)),
        Condition(Field.METADATA, Comparison.EQUAL, None, ("x",)),
    ],
)
def test_a_record_says_all_of_a_filter(wanted: Filter) -> None:
    assert filter_from_record(json.loads(json.dumps(filter_to_record(wanted)))) == wanted
