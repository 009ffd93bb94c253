"""Cell values as people read them."""

import datetime as dt
import re

from rag_server.adapters.openpyxl.dates import readable_moment

_PERCENT = re.compile(r"0(?:[.,](0+))?%")
_SIGNIFICANT_DIGITS = 15


def readable(value: object, number_format: str) -> str:
    """The text of a cell's value under its number format."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case dt.datetime():
            return readable_moment(value, number_format)
        case dt.time():
            return value.isoformat("seconds" if value.second else "minutes")
        case int() | float():
            return _readable_number(value, number_format)
    return str(value)


def _readable_number(
    value: int | float,  # noqa: PYI041 - they are written differently
    number_format: str,
) -> str:
    percent = _PERCENT.search(number_format)
    if percent:
        return f"{value * 100:.{len(percent.group(1) or '')}f}%"
    if isinstance(value, float):
        text = f"{value:.{_SIGNIFICANT_DIGITS}g}"
        return f"{value:.0f}" if value.is_integer() and "e" not in text else text
    return str(value)
