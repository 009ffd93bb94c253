"""The package around Office documents: relations between parts, and the core properties."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from lxml import etree

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import Source
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.parsing.safe_xml import local_name, parse_xml
from rag_server.adapters.parsing.zip_archives import open_archive, read_member, refuse_doctypes

# A part other than the main one is parsed as a tree, so it must be small.
MAX_PART_BYTES = 64_000_000
_PROPERTY_OF = {
    "title": "title", "creator": "author", "created": "created", "modified": "modified", "language": "language",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation:
    """A link from one part to another. `kind` is the last word of the relation's type."""

    kind: str
    target: str


class OfficePackage:
    """An Office file whose parts may be read: its directory is checked and no part declares a document type."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self._archive = open_archive(source.file, budget)
        refuse_doctypes(self._archive)
        self._names = {name.lower(): name for name in self._archive.namelist()}

    def main_part(self) -> str:
        """The part that the package says is the document."""
        for relation in self.relations(""):
            if relation.kind == "officeDocument":
                return relation.target
        raise Refused(Refusal.CORRUPT)

    def relations(self, part: str) -> Iterator[Relation]:
        """The links of a part ("" is the package) to other parts of the package."""
        folder, name = posixpath.split(part)
        root = self.tree(posixpath.join(folder, "_rels", f"{name}.rels"))
        for element in root if root is not None else ():
            if element.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, element.get("Target", "")))
                kind = element.get("Type", "").rpartition("/")[2]
                yield Relation(kind, target.lstrip("/"))

    def tree(self, part: str) -> etree._Element | None:
        """A part as a tree, None if there is no such part."""
        name = self._names.get(part.lower())
        return None if name is None else parse_xml(read_member(self._archive, name, MAX_PART_BYTES))

    def open(self, part: str) -> IO[bytes]:
        """A part as a stream.

        :raises Refused: there is no such part.
        """
        name = self._names.get(part.lower())
        if name is None:
            raise Refused(Refusal.CORRUPT)
        return self._archive.open(name)

    def properties(self) -> dict[str, str]:
        """Title, author, dates and language, as far as the file tells them."""
        found: dict[str, str] = {}
        try:
            root = self.tree("docProps/core.xml")
        except etree.XMLSyntaxError:
            return found  # damaged properties cost nothing but themselves
        for element in root if root is not None else ():
            key = _PROPERTY_OF.get(local_name(element))
            if key and element.text:
                found[key] = element.text.strip()
        return found
