"""Dates and times under the number formats of spreadsheets."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence

# These formats are shown in the order of the reader's own country: no order is right for all, so the year comes first.
_LOCAL = frozenset({"mm-dd-yy", "m/d/yy h:mm", "general", ""})
_LOCALE = re.compile(r"\[\$[^\]-]*-([0-9A-Fa-f]+)\]")
_PORTUGUESE = frozenset({"416", "816"})
_UNPRINTED = re.compile(r"\[[^\]]*\]|_.|\*.")
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|(AM/PM|A/P|y+|m+|d+|h+|s+)(?:\.0+)?|(.)', re.IGNORECASE | re.DOTALL)
_MONTHS = {
    "en": ("January", "February", "March", "April", "May", "June",
           "July", "August", "September", "October", "November", "December"),
    "pt": ("janeiro", "fevereiro", "março", "abril", "maio", "junho",
           "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"),
}  # fmt: skip
_DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "pt": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"),
}
_NAMED = 3  # letters of a format from which on a month or a day has a name
_IN_FULL = 4


def readable_moment(value: dt.datetime, number_format: str) -> str:
    """The date, the time or both, as the sheet shows them."""
    shown = number_format.partition(";")[0]
    locale = _LOCALE.search(shown)
    bare = _UNPRINTED.sub("", shown)
    if bare.strip().lower() in _LOCAL:
        return _year_first(value)
    language = "pt" if locale and locale.group(1).lstrip("0") in _PORTUGUESE else "en"
    return _Formatter(value, language, twelve_hours="AM/PM" in bare.upper() or "A/P" in bare.upper()).format(bare)


def _year_first(value: dt.datetime) -> str:
    if value.time() == dt.time():
        return value.date().isoformat()
    return value.isoformat(" ", "seconds" if value.second else "minutes")


class _Formatter:
    """Writes one moment token by token; `m` means minutes beside hours or seconds, else the month."""

    def __init__(self, value: dt.datetime, language: str, *, twelve_hours: bool) -> None:
        self._value = value
        self._language = language
        self._twelve_hours = twelve_hours

    def format(self, number_format: str) -> str:
        tokens = [match.groups() for match in _TOKEN.finditer(number_format)]
        codes = [(token[2] or "").lower() for token in tokens]
        written = []
        for index, (quoted, escaped, code, literal) in enumerate(tokens):
            if code:
                written.append(self._write(code.lower(), is_minute=_is_minute(codes, index)))
            else:
                written.append(quoted or escaped or (literal if literal != "@" else "") or "")
        return "".join(written).strip()

    def _write(self, code: str, *, is_minute: bool) -> str:
        value, letters = self._value, len(code)
        if code[0] == "y":
            return f"{value.year:04}" if letters > 2 else f"{value.year % 100:02}"  # noqa: PLR2004 - yy or yyyy
        if code[0] == "m":
            return _digits(value.minute, letters) if is_minute else self._name(_MONTHS, value.month - 1, code)
        if code[0] == "d":
            return self._name(_DAYS, value.weekday(), code) if letters >= _NAMED else _digits(value.day, letters)
        if code[0] == "h":
            return _digits((value.hour - 1) % 12 + 1 if self._twelve_hours else value.hour, letters)
        if code[0] == "s":
            return _digits(value.second, letters)
        return "AM" if value.hour < 12 else "PM"  # noqa: PLR2004 - noon

    def _name(self, names: Mapping[str, Sequence[str]], index: int, code: str) -> str:
        if len(code) < _NAMED:
            return _digits(index + 1, len(code))
        name = names[self._language][index]
        return name if len(code) >= _IN_FULL else name[:3]


def _is_minute(codes: list[str], index: int) -> bool:
    if codes[index] not in {"m", "mm"}:
        return False
    before = next((code for code in reversed(codes[:index]) if code), "")
    after = next((code for code in codes[index + 1 :] if code), "")
    return before.startswith("h") or after.startswith("s")


def _digits(number: int, letters: int) -> str:
    return f"{number:02}" if letters > 1 else str(number)
