"""JSON and JSON Lines that hold texts: `{"text": ..., "metadata": {...}}` items, each one page.

Other JSON is plain text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, ReadPage, Source, UnreadablePage
from rag_server.adapters.text.plain import contents_as_text, pages_of_text

_TEXT_KEYS = ("text", "content", "page_content")
_PROPERTY_OF = {
    "title": "title", "titulo": "title", "author": "author", "autor": "author", "language": "language",
    "lang": "language", "created": "created", "date": "created", "data": "created", "modified": "modified",
    "updated": "modified",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Item:
    text: str
    properties: Mapping[str, str] = field(default_factory=dict)


def read_json(source: Source, budget: Budget) -> Reading:
    """One page per item of a list, or one for a single item."""
    text = contents_as_text(source, budget)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Reading(pages_of_text(text, budget), 1)
    items = [_item(each) for each in value] if isinstance(value, list) else [_item(value)]
    if not items or None in items or isinstance(value, str):
        return Reading(pages_of_text(text, budget), 1)
    return _reading(items, budget)


def read_json_lines(source: Source, budget: Budget) -> Reading:
    """One page per line; a line that is no item is a page that cannot be read, unless none is one."""
    text = contents_as_text(source, budget)
    items = [_item_of_line(line) for line in text.splitlines() if line.strip()]
    if not any(items):
        return Reading(pages_of_text(text, budget), 1)
    return _reading(items, budget)


def _reading(items: list[_Item | None], budget: Budget) -> Reading:
    budget.expect_pages(len(items))
    only = items[0] if len(items) == 1 else None
    return Reading(_pages(items, budget), len(items), dict(only.properties) if only else {})


def _pages(items: list[_Item | None], budget: Budget) -> Iterator[ReadPage]:
    writer = PageWriter(budget)
    for number, item in enumerate(items, start=1):
        if item is None:
            yield UnreadablePage(number)
            continue
        writer.heading(1, item.properties.get("title", ""))
        writer.paragraph(item.text)
        yield writer.page(number)


def _item_of_line(line: str) -> _Item | None:
    try:
        return _item(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _item(value: Any) -> _Item | None:
    if isinstance(value, str):
        return _Item(value)
    if not isinstance(value, dict):
        return None
    text = next((value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str)), None)
    if text is None:
        return None
    metadata = value.get("metadata")
    told = {**(metadata if isinstance(metadata, dict) else {}), **value}
    found = {key: told[name] for name, key in reversed(_PROPERTY_OF.items()) if isinstance(told.get(name), str)}
    return _Item(text, found)
