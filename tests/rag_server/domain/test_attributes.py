"""What files say of their dates is understood in the forms in which they say it."""

from datetime import UTC, datetime

import pytest

from rag_server.domain.attributes import conditions_of, time_of
from rag_server.domain.filter import AllOf, Attributes, matches


def seconds(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> float:
    return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-02-29T10:15:00-03:00", seconds(2024, 2, 29, 13, 15)),
        ("2024-02-29T10:15:00Z", seconds(2024, 2, 29, 10, 15)),
        ("2024-02-29T10:15:00", seconds(2024, 2, 29, 10, 15)),
        ("2024-02-29", seconds(2024, 2, 29)),
        (" 2024-02 ", seconds(2024, 2, 1)),
        ("2024", seconds(2024, 1, 1)),
        ("D:20240229101500-03'00'", seconds(2024, 2, 29, 13, 15)),
        ("D:20240229101500Z", seconds(2024, 2, 29, 10, 15)),
        ("D:202402", seconds(2024, 2, 1)),
        ("2024-02-30", None),
        ("29/02/2024", None),
        ("0000", None),
        ("", None),
    ],
)
def test_a_date(written: str, expected: float | None) -> None:
    assert time_of(written) == expected


def test_the_conditions_of_a_document_hold_of_it_and_not_of_another() -> None:
    known = ("default", "d", "k", "f", "text/plain", "pt", ("a", "b"), 1.0, 2.0, None, 3.0)
    one = Attributes(1, *known, {"x": {"y": ["p", {"z": 1.0}]}, "n": None})
    other = Attributes(1, *known, {"x": {"y": ["q"]}, "n": None})
    assert (one.created, one.modified) == (None, 3.0)
    wanted = AllOf(tuple(conditions_of(one)))
    assert matches(wanted, one, range(0))
    assert not matches(wanted, other, range(0))
