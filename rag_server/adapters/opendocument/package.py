"""The container of OpenDocument files: its parts and what it says about itself."""

from typing import IO

from lxml import etree

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.parsing.safe_xml import local_name, parse_xml
from rag_server.adapters.parsing.zip_archives import open_archive, read_member, refuse_doctypes

_MAX_PART_BYTES = 64_000_000
_PROPERTY_OF = {
    "title": "title", "initial-creator": "author", "creator": "author", "creation-date": "created", "date": "modified",
    "language": "language",
}  # fmt: skip


class OpenDocumentPackage:
    """A checked container. Raises Refused where it is encrypted or no document type may be."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self._archive = open_archive(source.file, budget)
        refuse_doctypes(self._archive)
        manifest = self.tree("META-INF/manifest.xml")
        if manifest is not None and any(local_name(each) == "encryption-data" for each in manifest.iter()):
            raise Refused(Refusal.ENCRYPTED)

    def open(self, part: str) -> IO[bytes]:
        """A part as a stream.

        :raises Refused: there is no such part.
        """
        try:
            return self._archive.open(part)
        except KeyError as error:
            raise Refused(Refusal.CORRUPT) from error

    def tree(self, part: str) -> etree._Element | None:
        """A part as a tree, None if there is no such part."""
        if part not in self._archive.namelist():
            return None
        return parse_xml(read_member(self._archive, part, _MAX_PART_BYTES))

    def properties(self) -> dict[str, str]:
        """Title, author, dates and language, as far as the file tells them."""
        found: dict[str, str] = {}
        try:
            root = self.tree("meta.xml")
        except etree.XMLSyntaxError:
            return found  # damaged properties cost nothing but themselves
        for element in root.iter() if root is not None else ():
            key = _PROPERTY_OF.get(local_name(element))
            if key and element.text:
                found.setdefault(key, element.text.strip())
        return found
