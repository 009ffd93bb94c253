"""The text of OpenDocument paragraphs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from rag_server.adapters.parsing.safe_xml import local_name

PAGE_BREAK = "\x0c"
_MOST_SPACES = 1_000
# Comments, deleted text, what is drawn for those who do not see, and names of fields.
_SKIPPED = frozenset({"annotation", "annotation-end", "tracked-changes", "desc", "script", "forms", "event-listeners"})
_LITERAL = {"tab": "\t", "line-break": "\n", "soft-page-break": PAGE_BREAK}


@dataclass(slots=True)
class Inline:
    """The text of a paragraph, the text boxes anchored in it and its notes."""

    text: str = ""
    boxes: list[etree._Element] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def inline_of(paragraph: etree._Element) -> Inline:
    """Read a paragraph; a page break that was last rendered inside it is PAGE_BREAK."""
    inline = Inline()
    inline.text = "".join(_pieces(paragraph, inline))
    return inline


def plain_text(element: etree._Element) -> str:
    """The text of everything inside an element, one line per paragraph."""
    paragraphs = (each for each in element.iter() if local_name(each) in {"p", "h"})
    texts = (inline_of(paragraph).text.replace(PAGE_BREAK, "").strip() for paragraph in paragraphs)
    return "\n".join(text for text in texts if text)


def attribute(element: etree._Element, name: str) -> str:
    """An attribute by its name without namespace, "" if it is missing."""
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return ""


def _pieces(element: etree._Element, inline: Inline) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        name = local_name(child)
        if name == "s":
            count = attribute(child, "c")
            yield " " * (min(int(count), _MOST_SPACES) if count.isdecimal() else 1)
        elif name in _LITERAL:
            yield _LITERAL[name]
        elif name == "note":
            citation = next((each for each in child if local_name(each) == "note-citation"), None)
            body = next((each for each in child if local_name(each) == "note-body"), None)
            mark = "" if citation is None else citation.text or ""
            inline.notes.append(f"{mark} {'' if body is None else plain_text(body)}".strip())
        elif name == "text-box":
            inline.boxes.append(child)
        elif name not in _SKIPPED:
            yield from _pieces(child, inline)
        yield child.tail or ""
