"""XML parsing that fetches nothing and expands nothing."""

from typing import IO

from lxml import etree


def parse_xml(data: bytes) -> etree._Element:
    """The root element.

    :raises lxml.etree.XMLSyntaxError: not well-formed, nested too deeply or too large.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)


def iterate_xml(file: IO[bytes]) -> "etree.iterparse[tuple[str, etree._Element]]":
    """Start and end events while the file is read; the caller clears what it has seen."""
    return etree.iterparse(
        file,
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def forget(element: etree._Element) -> None:
    """Give back the memory of an element that was read, and of those before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def local_name(element: etree._Element) -> str:
    """The tag without its namespace."""
    return str(element.tag).rpartition("}")[2]
