"""A written time is a stretch, and what is before it, in it and after it leaves no gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_server.domain.filter import Attributes, Comparison, Field, matches
from rag_server.domain.time_spans import Span, compared, span_of

DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("written", "days"), [("2023", 365), ("2024", 366), ("2024-02", 29), ("2024-12", 31), ("2024-02-29", 1)]
)
def test_a_date_is_as_long_as_its_days(written: str, days: int) -> None:
    span = span_of(written)
    assert span is not None
    assert span.end - span.begin == days * DAY_S


@pytest.mark.parametrize("written", ["", "9999", "2024-13", "2024-02-30", "24", "2024-05-31T10:00:00", "2024-5-1", "x"])
def test_what_is_no_time_is_told(written: str) -> None:
    assert span_of(written) is None


@given(st.sampled_from([Span(10.0, 20.0), Span(10.0, 10.0)]), st.sampled_from([0.0, 9.9, 10.0, 15.0, 19.9, 20.0, 30.0]))
def test_a_moment_is_before_in_or_after(span: Span, moment: float) -> None:
    document = Attributes(1, "c", "d", "k", "f", "m", "", (), moment, 0.0, None, None, {})

    def holds(comparison: Comparison) -> bool:
        return matches(compared(Field.CREATE_TIME, comparison, span), document, range(0))

    before, within, after = (holds(each) for each in (Comparison.LESS, Comparison.EQUAL, Comparison.GREATER))
    assert [before, within, after].count(True) == 1
    assert holds(Comparison.LESS_OR_EQUAL) == (before or within)
    assert holds(Comparison.GREATER_OR_EQUAL) == (within or after)
