"""Which paragraph styles are headings, and of what level."""

import re
from collections.abc import Mapping

from lxml import etree

from rag_server.adapters.docx.inline import W

_HEADING_NAME = re.compile(r"(?:heading|t[íi]tulo|cabe[çc]alho|überschrift|titre)\s*(\d)$", re.IGNORECASE)
_TITLE_NAMES = frozenset({"title", "título", "titulo"})
_BODY_LEVEL = 9
_LONGEST_CHAIN = 10


def heading_levels(styles: etree._Element | None) -> Mapping[str, int]:
    """Style id to heading level, 1 the highest; styles that are no headings are missing."""
    own: dict[str, int] = {}
    parent: dict[str, str] = {}
    for style in styles.iter(f"{W}style") if styles is not None else ():
        style_id = style.get(f"{W}styleId", "")
        based_on = style.find(f"{W}basedOn")
        if based_on is not None:
            parent[style_id] = based_on.get(f"{W}val", "")
        level = _own_level(style)
        if level is not None:
            own[style_id] = level
    levels: dict[str, int] = {}
    for style_id in {*own, *parent}:
        level = _inherited(style_id, own, parent)
        if level:
            levels[style_id] = level
    return levels


def paragraph_level(paragraph: etree._Element, levels: Mapping[str, int]) -> int:
    """The heading level of a paragraph, 0 if it is none."""
    properties = paragraph.find(f"{W}pPr")
    if properties is None:
        return 0
    outline = _outline_level(properties)
    if outline is not None:
        return outline
    style = properties.find(f"{W}pStyle")
    return 0 if style is None else levels.get(style.get(f"{W}val", ""), 0)


def _own_level(style: etree._Element) -> int | None:
    """None if the style leaves it to the one it is based on, 0 if it says that it is no heading."""
    properties = style.find(f"{W}pPr")
    outline = None if properties is None else _outline_level(properties)
    if outline is not None:
        return outline
    name_element = style.find(f"{W}name")
    name = "" if name_element is None else name_element.get(f"{W}val", "").strip().lower()
    match = _HEADING_NAME.match(name)
    if match:
        return int(match.group(1))
    return 1 if name in _TITLE_NAMES else None


def _outline_level(properties: etree._Element) -> int | None:
    element = properties.find(f"{W}outlineLvl")
    value = None if element is None else element.get(f"{W}val", "")
    if value is None or not value.isdigit():
        return None
    return int(value) + 1 if int(value) < _BODY_LEVEL else 0


def _inherited(style_id: str, own: Mapping[str, int], parent: Mapping[str, str]) -> int:
    for _ in range(_LONGEST_CHAIN):
        if style_id in own:
            return own[style_id]
        style_id = parent.get(style_id, "")
    return 0
