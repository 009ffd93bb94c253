"""The numbers of numbered paragraphs, which the file does not hold: Word counts them anew each time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from rag_server.adapters.docx.inline import W

_LEVELS = 9
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_MAX_ROMAN = 4_000


@dataclass(frozen=True, slots=True)
class _Level:
    start: int
    format: str
    text: str  # "%1.%2" stands for the numbers of the first two levels


@dataclass(slots=True)
class Numbering:
    """Counts the numbered paragraphs of a document in order."""

    _lists: Mapping[str, tuple[str, Mapping[int, _Level]]] = field(default_factory=dict)
    _style_lists: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    _counts: dict[str, list[int]] = field(default_factory=dict)

    def label(self, paragraph: etree._Element) -> str:
        """The number that Word would print before this paragraph, "" if it has none or only a bullet."""
        place = self._place(paragraph)
        if place is None:
            return ""
        counted, levels = self._lists.get(place[0], ("", {}))
        level = levels.get(place[1])
        if level is None:
            return ""
        counts = self._counts.setdefault(counted, [0] * _LEVELS)
        counts[place[1]] = counts[place[1]] + 1 if counts[place[1]] else level.start
        counts[place[1] + 1 :] = [0] * (_LEVELS - place[1] - 1)
        return "" if level.format in {"bullet", "none"} else _printed(level, levels, counts)

    def _place(self, paragraph: etree._Element) -> tuple[str, int] | None:
        """The list and the level of a paragraph, its own or its style's."""
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            return None
        style = _value(properties, "pStyle")
        from_style = self._style_lists.get(style)
        own = properties.find(f"{W}numPr")
        if own is None:
            return from_style
        list_id = _value(own, "numId") or (from_style[0] if from_style else "")
        level = _value(own, "ilvl") or str(from_style[1] if from_style else 0)
        return (list_id, int(level)) if level.isdigit() and int(level) < _LEVELS else None


def read_numbering(numbering: etree._Element | None, styles: etree._Element | None) -> Numbering:
    """The lists that the document defines."""
    if numbering is None:
        return Numbering()
    abstract = {each.get(f"{W}abstractNumId", ""): _levels(each) for each in numbering.iter(f"{W}abstractNum")}
    lists = {}
    for each in numbering.iter(f"{W}num"):
        abstract_id = _value(each, "abstractNumId")
        lists[each.get(f"{W}numId", "")] = (abstract_id, abstract.get(abstract_id, {}))
    return Numbering(lists, _style_lists(styles))


def _levels(abstract: etree._Element) -> dict[int, _Level]:
    found = {}
    for level in abstract.iter(f"{W}lvl"):
        index, start = level.get(f"{W}ilvl", ""), _value(level, "start") or "1"
        if index.isdigit() and int(index) < _LEVELS and start.isdigit():
            found[int(index)] = _Level(int(start), _value(level, "numFmt"), _value(level, "lvlText"))
    return found


def _style_lists(styles: etree._Element | None) -> dict[str, tuple[str, int]]:
    found = {}
    for style in styles.iter(f"{W}style") if styles is not None else ():
        own = style.find(f"{W}pPr/{W}numPr")
        if own is not None:
            level = _value(own, "ilvl") or "0"
            if level.isdigit() and int(level) < _LEVELS:
                found[style.get(f"{W}styleId", "")] = (_value(own, "numId"), int(level))
    return found


def _printed(level: _Level, levels: Mapping[int, _Level], counts: list[int]) -> str:
    text = level.text
    for index in range(_LEVELS):
        if f"%{index + 1}" in text:
            number = counts[index] or (levels[index].start if index in levels else 1)
            number_format = levels[index].format if index in levels else "decimal"
            text = text.replace(f"%{index + 1}", _number(number, number_format))
    return text.strip()


def _number(number: int, number_format: str) -> str:
    if number_format in {"lowerLetter", "upperLetter"}:
        letters = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 20)
        return letters.upper() if number_format == "upperLetter" else letters
    if number_format in {"lowerRoman", "upperRoman"} and 0 < number < _MAX_ROMAN:
        roman = _roman(number)
        return roman.upper() if number_format == "upperRoman" else roman
    if number_format == "ordinal":
        return f"{number}º"
    return f"{number:02}" if number_format == "decimalZero" else str(number)


def _roman(number: int) -> str:
    written = ""
    for value, letters in _ROMAN:
        written += letters * (number // value)
        number %= value
    return written


def _value(element: etree._Element, name: str) -> str:
    child = element.find(f"{W}{name}")
    return "" if child is None else child.get(f"{W}val", "")
