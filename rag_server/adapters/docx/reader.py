"""DOCX, read as a stream: paragraphs and tables in order, text boxes, notes, headers and footers.

Word does not store pages, but it leaves marks where it last broke them; without marks the asked-for breaks count.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from rag_server.adapters.docx.inline import PAGE_BREAK, W, inline_of, plain_text
from rag_server.adapters.docx.numbering import Numbering, read_numbering
from rag_server.adapters.docx.styles import heading_levels, paragraph_level
from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.office import OfficePackage
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.parsing.safe_xml import forget, iterate_xml, local_name
from rag_server.adapters.parsing.table_grid import Cell, TableGrid
from rag_server.domain.extraction import Page

_RENDERED_BREAK = b"lastRenderedPageBreak"
_SCAN_BYTES = 1 << 20
_COUNT_DIGITS = 5
_DECORATIVE_NOTES = frozenset({"separator", "continuationSeparator", "continuationNotice"})


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What stands around the body, read before it."""

    headings: Mapping[str, int]
    numbering: Numbering
    footnotes: Mapping[str, str]
    endnotes: Mapping[str, str]
    headers: tuple[str, ...]
    footers: tuple[str, ...]
    rendered_breaks: bool


def read_docx(source: Source, budget: Budget) -> Reading:
    """One page per page that Word last rendered or that the author asked for."""
    package = OfficePackage(source, budget)
    main = package.main_part()
    breaks = _count_rendered_breaks(package, main)
    budget.expect_pages(breaks + 1)
    surroundings = _read_surroundings(package, main, rendered_breaks=breaks > 0)
    writer = _BodyWriter(surroundings, budget)
    return Reading(writer.pages(package, main), breaks + 1 if breaks else 0, package.properties())


def _count_rendered_breaks(package: OfficePackage, main: str) -> int:
    count, tail = 0, b""
    with package.open(main) as part:
        while piece := part.read(_SCAN_BYTES):
            window = tail + piece
            count += window.count(_RENDERED_BREAK)
            tail = window[-len(_RENDERED_BREAK) + 1 :]
    return count


def _read_surroundings(package: OfficePackage, main: str, *, rendered_breaks: bool) -> _Surroundings:
    trees: dict[str, list[etree._Element]] = {}
    for relation in package.relations(main):
        if relation.kind in {"styles", "numbering", "footnotes", "endnotes", "header", "footer"}:
            tree = package.tree(relation.target)
            if tree is not None:
                trees.setdefault(relation.kind, []).append(tree)
    styles = next(iter(trees.get("styles", [])), None)
    return _Surroundings(
        heading_levels(styles),
        read_numbering(next(iter(trees.get("numbering", [])), None), styles),
        _notes(trees.get("footnotes", [])),
        _notes(trees.get("endnotes", [])),
        tuple(dict.fromkeys(plain_text(tree) for tree in trees.get("header", []))),
        tuple(dict.fromkeys(plain_text(tree) for tree in trees.get("footer", []))),
        rendered_breaks,
    )


def _notes(trees: list[etree._Element]) -> dict[str, str]:
    return {
        note.get(f"{W}id", ""): plain_text(note)
        for tree in trees
        for note in tree
        if note.get(f"{W}type") not in _DECORATIVE_NOTES
    }


class _BodyWriter:
    """Writes the body's blocks page by page."""

    def __init__(self, surroundings: _Surroundings, budget: Budget) -> None:
        self._around = surroundings
        self._budget = budget
        self._writer = PageWriter(budget)
        self._number = 1
        self._footnotes: list[str] = []
        self._endnotes: list[str] = []

    def pages(self, package: OfficePackage, main: str) -> Iterator[Page]:
        for header in self._around.headers:
            self._writer.paragraph(header)
        for block in _blocks(package, main):
            yield from self._write(block)
        for note in self._endnotes:
            self._writer.paragraph(self._around.endnotes.get(note, ""))
        for footer in self._around.footers:
            self._writer.paragraph(footer)
        yield self._end_page()

    def _write(self, block: etree._Element) -> Iterator[Page]:
        name = local_name(block)
        if name == "p":
            yield from self._write_paragraph(block)
        elif name == "tbl":
            yield from self._write_table(block)
        elif name in {"sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo", "txbxContent"}:
            for child in block:
                yield from self._write(child)

    def _write_paragraph(self, paragraph: etree._Element) -> Iterator[Page]:
        inline = inline_of(paragraph, rendered_breaks=self._around.rendered_breaks)
        level = paragraph_level(paragraph, self._around.headings)
        text = self._breaks_before(paragraph) + self._labelled(paragraph, inline.text)
        for index, part in enumerate(text.split(PAGE_BREAK)):
            if index and not self._writer.is_empty:
                yield self._end_page()
            if level:
                self._writer.heading(level, part)
            elif _is_list_item(paragraph):
                self._writer.line(part.strip())
            else:
                self._writer.paragraph(part.strip())
        self._footnotes += inline.footnotes
        self._endnotes += inline.endnotes
        for box in inline.boxes:
            yield from self._write(box)

    def _labelled(self, paragraph: etree._Element, text: str) -> str:
        """The text with its number; one that begins with a page break has its number after it."""
        label = self._around.numbering.label(paragraph)
        bare = text.lstrip(PAGE_BREAK)
        return f"{PAGE_BREAK * (len(text) - len(bare))}{label} {bare}" if label and bare else text

    def _breaks_before(self, paragraph: etree._Element) -> str:
        if self._around.rendered_breaks:
            return ""
        return PAGE_BREAK if paragraph.find(f"{W}pPr/{W}pageBreakBefore") is not None else ""

    def _write_table(self, table: etree._Element) -> Iterator[Page]:
        grid, is_first, crosses_page = TableGrid(), True, False
        for row in table.iter(f"{W}tr"):
            if next(row.iterancestors(f"{W}tbl")) is not table:
                continue  # a table inside a cell is part of the cell's text
            if crosses_page:
                yield self._end_page()
            self._writer.row(grid.row(_cells(row)), first=is_first)
            is_first = False
            crosses_page = self._around.rendered_breaks and row.find(f".//{W}lastRenderedPageBreak") is not None
        self._writer.end_table()

    def _end_page(self) -> Page:
        for note in self._footnotes:
            self._writer.paragraph(self._around.footnotes.get(note, ""))
        self._footnotes.clear()
        self._budget.expect_pages(self._number)
        page = self._writer.page(self._number)
        self._number += 1
        return page


def _is_list_item(paragraph: etree._Element) -> bool:
    return paragraph.find(f"{W}pPr/{W}numPr") is not None


def _cells(row: etree._Element) -> Iterator[Cell]:
    left_out = row.find(f"{W}trPr/{W}gridBefore")
    if left_out is not None:
        yield Cell("", _count(left_out))
    for cell in row.iter(f"{W}tc"):
        if next(cell.iterancestors(f"{W}tr")) is row:
            yield _cell(cell)


def _cell(cell: etree._Element) -> Cell:
    span = cell.find(f"{W}tcPr/{W}gridSpan")
    merged = cell.find(f"{W}tcPr/{W}vMerge")
    continues = merged is not None and merged.get(f"{W}val", "continue") == "continue"
    return Cell(plain_text(cell), 1 if span is None else _count(span), continues=continues)


def _count(element: etree._Element) -> int:
    value = element.get(f"{W}val", "1")
    return max(int(value), 1) if value.isdecimal() and len(value) < _COUNT_DIGITS else 1


def _blocks(package: OfficePackage, main: str) -> Iterator[etree._Element]:
    """The direct children of the body, each forgotten after it was seen."""
    depth, body_depth = 0, None
    with package.open(main) as part:
        for event, element in iterate_xml(part):
            if event == "start":
                depth += 1
                if body_depth is None and element.tag == f"{W}body":
                    body_depth = depth
                continue
            if body_depth is not None and depth == body_depth + 1:
                yield element
                forget(element)
            depth -= 1
    if body_depth is None:
        raise Refused(Refusal.CORRUPT)
