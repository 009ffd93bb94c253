"""What an RTF file says about itself and its styles."""

import re
from dataclasses import dataclass, field

_HEADING_NAME = re.compile(r"(?:heading|t[íi]tulo|cabe[çc]alho)\s*(\d)$", re.IGNORECASE)
_TITLES = frozenset({"title", "título", "titulo"})
_PROPERTY_OF = {"title": "title", "author": "author", "creatim": "created", "revtim": "modified"}
_DATE_PARTS = ("yr", "mo", "dy", "hr", "min")
_LONGEST_PROPERTY_CHARS = 1_000


@dataclass(slots=True)
class Information:
    """Collects what stands in the groups of `info`."""

    _group: str = ""
    _texts: dict[str, str] = field(default_factory=dict)
    _dates: dict[str, dict[str, int]] = field(default_factory=dict)

    def begin_group(self, word: str) -> None:
        self._group = word

    def end_group(self) -> None:
        self._group = ""

    def take_word(self, word: str, number: int | None) -> None:
        if word in _DATE_PARTS and number is not None:
            self._dates.setdefault(self._group, {})[word] = number

    def take_text(self, text: str) -> None:
        if self._group in _PROPERTY_OF and len(self._texts.get(self._group, "")) < _LONGEST_PROPERTY_CHARS:
            self._texts[self._group] = self._texts.get(self._group, "") + text

    def properties(self) -> dict[str, str]:
        """Title, author and dates as far as the file tells them."""
        found = {_PROPERTY_OF[group]: text.strip() for group, text in self._texts.items() if text.strip()}
        for group, parts in self._dates.items():
            if group in _PROPERTY_OF and {"yr", "mo", "dy"} <= parts.keys():
                year, month, day, hour, minute = (parts.get(part, 0) for part in _DATE_PARTS)
                found[_PROPERTY_OF[group]] = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00"
        return found


@dataclass(slots=True)
class StyleSheet:
    """Collects the style sheet: which styles are headings."""

    _number: int = 0
    _name: str = ""
    _levels: dict[int, int] = field(default_factory=dict)

    def take_word(self, word: str, number: int | None) -> None:
        if word == "s":
            self._number, self._name = number or 0, ""
        elif word == "outlinelevel" and number is not None and 0 <= number < 9:  # noqa: PLR2004 - nine is body text
            self._levels[self._number] = number + 1

    def take_text(self, text: str) -> None:
        self._name = (self._name + text)[:_LONGEST_PROPERTY_CHARS]
        name, semicolon, _ = self._name.partition(";")
        if semicolon:
            match = _HEADING_NAME.match(name.strip())
            if match:
                self._levels[self._number] = int(match.group(1))
            elif name.strip().lower() in _TITLES:
                self._levels[self._number] = 1
            self._number, self._name = 0, ""

    def level(self, style: int) -> int:
        """The heading level of a style, 0 if it is none."""
        return self._levels.get(style, 0)
