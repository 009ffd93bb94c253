"""HTML: what a reader of the page sees, without what belongs to the site around it."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.parsing.refusals import limit_exceeded
from rag_server.adapters.selectolax.blocks import write_blocks
from rag_server.adapters.text.decoding import decode
from rag_server.domain.extraction import Page

# The tree takes about thirty times the bytes.
MAX_HTML_BYTES = 20_000_000
# The parser's time grows with the square of the depth.
MAX_DEPTH = 5_000
_HEAD_BYTES = 4096
_CHARSET = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)|<\?xml[^>]+encoding=["']([\w.-]+)""", re.IGNORECASE
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*?(/?)>")
# These end by themselves where the next one begins, so an unclosed one nests nothing.
_SELF_ENDING = frozenset({
    "p", "li", "td", "th", "tr", "dt", "dd", "option", "optgroup", "tbody", "thead", "tfoot", "colgroup", "br", "img",
    "hr", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr", "rp", "rt",
})  # fmt: skip
_META_PROPERTIES = (
    ("author", "author"),
    ("dc.creator", "author"),
    ("article:author", "author"),
    ("article:published_time", "created"),
    ("dcterms.created", "created"),
    ("date", "created"),
    ("article:modified_time", "modified"),
    ("dcterms.modified", "modified"),
)


def read_html(source: Source, budget: Budget) -> Reading:
    """The whole file as one page."""
    budget.check_bytes("html_bytes", source.size_bytes, MAX_HTML_BYTES)
    parser = parse_html(source.contents())
    return Reading(_pages(parser, budget), 1, _properties(parser))


def parse_html(data: bytes) -> LexborHTMLParser:
    """A parsed page. Refused if it is nested so deeply that parsing would take forever."""
    text = decode(data, _declared_charset(data))
    depth = _nesting(text)
    if depth > MAX_DEPTH:
        raise limit_exceeded("html_depth", depth, MAX_DEPTH)
    try:
        return LexborHTMLParser(text.replace("\x00", ""))
    except SelectolaxError as error:  # HTML is never wrong; the parser only fails where there is no memory
        raise MemoryError from error


def _pages(parser: LexborHTMLParser, budget: Budget) -> Iterator[Page]:
    writer = PageWriter(budget)
    if parser.body is not None:
        write_blocks(parser.body, writer)
    yield writer.page(1)


def _declared_charset(data: bytes) -> str:
    match = _CHARSET.search(data[:_HEAD_BYTES])
    return (match.group(1) or match.group(2)).decode("ascii") if match else ""


def _nesting(text: str) -> int:
    """An upper estimate of how deep the elements are nested."""
    depth = deepest = 0
    for closes, tag, is_empty in _TAG.findall(text):
        if is_empty or tag.lower() in _SELF_ENDING:
            continue
        depth = max(depth - 1, 0) if closes else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _properties(parser: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    title = parser.css_first("head > title")
    if title is not None:
        found["title"] = title.text(strip=True)
    root = parser.css_first("html")
    if root is not None:
        found["language"] = root.attributes.get("lang") or root.attributes.get("xml:lang") or ""
    metas = {
        (meta.attributes.get("name") or meta.attributes.get("property") or "").lower(): meta.attributes.get("content")
        for meta in parser.css("head > meta")
    }
    for name, key in _META_PROPERTIES:
        value = metas.get(name)
        if value:
            found.setdefault(key, value)
    return found
