"""EPUB: the chapters in the order of the book's spine."""

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.page_writer import PageWriter
from rag_server.adapters.parsing.reading import Reading, ReadPage, Source, UnreadablePage
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.parsing.safe_xml import local_name, parse_xml
from rag_server.adapters.parsing.zip_archives import open_archive, read_member
from rag_server.adapters.selectolax.blocks import write_blocks
from rag_server.adapters.selectolax.reader import MAX_HTML_BYTES, parse_html

_MAX_XML_BYTES = 16_000_000
_CHAPTER_TYPES = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})
_CHAPTER_SUFFIXES = (".xhtml", ".html", ".htm")
_PROPERTY_OF = {"title": "title", "creator": "author", "language": "language", "date": "created"}


def read_epub(source: Source, budget: Budget) -> Reading:
    """One page per chapter file."""
    archive = open_archive(source.file, budget)
    _refuse_protected(archive)
    package_path = _package_path(archive)
    package = _tree(archive, package_path)
    chapters = _chapters(package, posixpath.dirname(package_path))
    if not chapters:
        raise Refused(Refusal.CORRUPT)
    budget.expect_pages(len(chapters))
    return Reading(_pages(archive, chapters, budget), len(chapters), _properties(package))


def _refuse_protected(archive: zipfile.ZipFile) -> None:
    """Books hide their fonts without harm; a book that hides its chapters cannot be read."""
    if "META-INF/encryption.xml" not in archive.namelist():
        return
    for element in _tree(archive, "META-INF/encryption.xml").iter():
        if local_name(element) == "CipherReference" and element.get("URI", "").lower().endswith(_CHAPTER_SUFFIXES):
            raise Refused(Refusal.COPY_PROTECTED)


def _package_path(archive: zipfile.ZipFile) -> str:
    for element in _tree(archive, "META-INF/container.xml").iter():
        if local_name(element) == "rootfile":
            return element.get("full-path", "")
    raise Refused(Refusal.CORRUPT)


def _tree(archive: zipfile.ZipFile, name: str) -> etree._Element:
    try:
        return parse_xml(read_member(archive, name, _MAX_XML_BYTES))
    except KeyError as error:
        raise Refused(Refusal.CORRUPT) from error


def _chapters(package: etree._Element, folder: str) -> list[str]:
    """The member names of the spine's items."""
    items: dict[str, str] = {}
    spine: list[str] = []
    for element in package.iter():
        name = local_name(element)
        if name == "item" and element.get("media-type", "").lower() in _CHAPTER_TYPES:
            path = posixpath.normpath(posixpath.join(folder, unquote(element.get("href", ""))))
            items[element.get("id", "")] = path
        elif name == "itemref":
            spine.append(element.get("idref", ""))
    return [items[reference] for reference in spine if reference in items]


def _pages(archive: zipfile.ZipFile, chapters: list[str], budget: Budget) -> Iterator[ReadPage]:
    writer = PageWriter(budget)
    for number, name in enumerate(chapters, start=1):
        try:
            data = read_member(archive, name, MAX_HTML_BYTES)
        except (KeyError, zipfile.BadZipFile):
            yield UnreadablePage(number)
            continue
        parser = parse_html(data)
        if parser.body is not None:
            write_blocks(parser.body, writer)
        yield writer.page(number)


def _properties(package: etree._Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in package.iter():
        name = local_name(element)
        if name in _PROPERTY_OF and element.text:
            found.setdefault(_PROPERTY_OF[name], element.text.strip())
        elif name == "meta" and element.get("property") == "dcterms:modified" and element.text:
            found["modified"] = element.text.strip()
    return found
