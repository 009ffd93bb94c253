"""The text of WordprocessingML elements, with the places of page breaks in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from rag_server.adapters.parsing.safe_xml import local_name

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# Stands for a page break inside the text of a paragraph; cleaning would drop it.
PAGE_BREAK = "\x0c"

# A second copy of what a newer program shows, text that is deleted, formulas of fields.
_SKIPPED = frozenset({"Fallback", "del", "moveFrom", "instrText", "delText", "pPr", "rPr", "tblPr", "sectPr"})
_LITERAL = {"tab": "\t", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}


@dataclass(slots=True)
class Inline:
    """The text of a paragraph, the text boxes anchored in it and the notes it refers to."""

    text: str = ""
    boxes: list[etree._Element] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)
    endnotes: list[str] = field(default_factory=list)


def inline_of(paragraph: etree._Element, *, rendered_breaks: bool) -> Inline:
    """Read a paragraph. Page breaks are those last rendered where the file has them, else those asked for."""
    inline = Inline()
    pieces: list[str] = []
    for element in _descend(paragraph, inline):
        name = local_name(element)
        if name == "t":
            pieces.append(element.text or "")
        elif name in _LITERAL:
            pieces.append(_LITERAL[name])
        elif name == "br":
            is_page = element.get(f"{W}type") == "page"
            pieces.append(("" if rendered_breaks else PAGE_BREAK) if is_page else "\n")
        elif name == "lastRenderedPageBreak" and rendered_breaks:
            pieces.append(PAGE_BREAK)
        elif name == "footnoteReference":
            inline.footnotes.append(element.get(f"{W}id", ""))
        elif name == "endnoteReference":
            inline.endnotes.append(element.get(f"{W}id", ""))
    inline.text = "".join(pieces)
    return inline


def plain_text(element: etree._Element) -> str:
    """The text of everything inside an element, one line per paragraph."""
    paragraphs = element.iter(f"{W}p")
    texts = (inline_of(paragraph, rendered_breaks=True).text.replace(PAGE_BREAK, "") for paragraph in paragraphs)
    return "\n".join(text.strip() for text in texts if text.strip())


def _descend(element: etree._Element, inline: Inline) -> Iterator[etree._Element]:
    for child in element:
        name = local_name(child)
        if name == "txbxContent":
            inline.boxes.append(child)
        elif name not in _SKIPPED:
            yield child
            yield from _descend(child, inline)
