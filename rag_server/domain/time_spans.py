"""Stretches of time as they are written in filters, and how a moment is held against them."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from rag_server.domain.filter import AllOf, Comparison, Condition, Field, Filter

_DATE = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_MONTHS = 12


class Span(NamedTuple):
    """From the begin to before the end, seconds since the epoch; a moment where both are the same."""

    begin: float
    end: float


def span_of(written: str) -> Span | None:
    """A year, a month or a day, in UTC, or a moment after RFC 3339; None if it is none of them."""
    date = _DATE.fullmatch(written)
    try:
        if date is None:
            moment = datetime.fromisoformat(written)
            return None if moment.tzinfo is None else Span(moment.timestamp(), moment.timestamp())
        return _span(int(date[1]), date[2], date[3])
    except (ValueError, OverflowError):
        return None


def compared(field: Field, comparison: Comparison, span: Span) -> Filter:
    """A time is in the stretch (EQUAL), before it, before its end, after it, or not before it."""
    begin, end = span
    match comparison:
        case Comparison.LESS:
            return Condition(field, Comparison.LESS, begin)
        case Comparison.GREATER_OR_EQUAL:
            return Condition(field, Comparison.GREATER_OR_EQUAL, begin)
        case _ if begin == end:
            return Condition(field, comparison, begin)
        case Comparison.LESS_OR_EQUAL:
            return Condition(field, Comparison.LESS, end)
        case Comparison.GREATER:
            return Condition(field, Comparison.GREATER_OR_EQUAL, end)
        case _:
            return AllOf((Condition(field, Comparison.GREATER_OR_EQUAL, begin), Condition(field, Comparison.LESS, end)))


def _span(year: int, month: str | None, day: str | None) -> Span:
    begin = datetime(year, int(month or 1), int(day or 1), tzinfo=UTC)
    if day is not None:
        end = begin + timedelta(days=1)
    elif month is not None:
        end = begin.replace(year=year + begin.month // _MONTHS, month=begin.month % _MONTHS + 1)
    else:
        end = begin.replace(year=year + 1)
    return Span(begin.timestamp(), end.timestamp())
