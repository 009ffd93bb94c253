"""Markdown: kept as written, with its headings told apart and its front matter read as properties."""

import re
from collections.abc import Iterator

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.text.plain import contents_as_text
from rag_server.domain.extraction import Page

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_FRONT_MATTER_FIELD = re.compile(r"^([A-Za-z_]+)[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_MAX_FRONT_MATTER_CHARS = 20_000
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+\|?[ \t]*$")
_HEADER_LINES = 2
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_PROPERTY_OF = {
    "title": "title", "titulo": "title", "author": "author", "authors": "author", "autor": "author",
    "date": "created", "created": "created", "updated": "modified", "modified": "modified", "lastmod": "modified",
    "lang": "language", "language": "language",
}  # fmt: skip


def read_markdown(source: Source, budget: Budget) -> Reading:
    """The whole file as one page."""
    return markdown_reading(contents_as_text(source, budget), budget)


def markdown_reading(text: str, budget: Budget) -> Reading:
    """The text as one page, with what its front matter says of it."""
    text = text.replace("\r\n", "\n")
    properties: dict[str, str] = {}
    front_matter = _FRONT_MATTER.match(text[:_MAX_FRONT_MATTER_CHARS])
    if front_matter:
        text = text[front_matter.end() :]
        properties = _properties(front_matter.group(1))
    return Reading(_pages(_COMMENT.sub("", text), budget), 1, properties)


def _properties(front_matter: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _FRONT_MATTER_FIELD.findall(front_matter):
        key = _PROPERTY_OF.get(name.lower())
        if key:
            found.setdefault(key, value.strip("\"'[] "))
    return found


def _pages(text: str, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    block: list[str] = []
    fence = ""
    for line in text.split("\n"):
        fence = _fence_after(fence, line)
        heading = None if fence else _HEADING.match(line)
        underline = None if fence or len(block) != 1 or not block[0].strip() else _UNDERLINE.match(line)
        if heading:
            _flush(block, writer)
            writer.heading(len(heading.group(1)), heading.group(2))
        elif underline:
            writer.heading(1 if underline.group(1)[0] == "=" else 2, block.pop())
        elif not line.strip() and not fence:
            _flush(block, writer)
        else:
            block.append(line)
    _flush(block, writer)
    yield writer.page(1)


def _fence_after(fence: str, line: str) -> str:
    """The fence that is open after this line, "" if none is."""
    match = _FENCE.match(line)
    if match is None:
        return fence
    if not fence:
        return match.group(1)
    return "" if match.group(1).startswith(fence) else fence


def _flush(block: list[str], writer: PageWriter) -> None:
    text = "\n".join(block)
    if len(block) > _HEADER_LINES and _TABLE_RULE.match(block[1]):
        writer.written_table(text, header_lines=_HEADER_LINES)
    else:
        writer.paragraph(text)
    block.clear()
