"""Finding documents by what is known of them: by key, a bounded look at a time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from rag_server.document_ports import Contents
from rag_server.domain.document import Document
from rag_server.domain.filter import EVERYTHING, Filter

LOOK = 250  # documents read at once
MOST_LOOKS = 8  # for one page


@dataclass(frozen=True, slots=True)
class Listing:
    """Reads documents past a filter."""

    contents: Contents

    async def page(self, collection: str, after_key: str, wanted: Filter, limit: int) -> tuple[list[Document], str]:
        """Documents that meet the filter, by key, and the key after which to go on; empty at the end.

        Looks at MOST_LOOKS * LOOK documents at the most, so it may return fewer than there are. Raises
        CollectionNotFound.
        """
        found: list[Document] = []
        look = limit + 1 if wanted == EVERYTHING else LOOK
        for _ in range(MOST_LOOKS):
            standing = await self.contents.standing_after(collection, after_key, look)
            for one in standing:
                if one.meets(wanted):
                    if len(found) == limit:
                        return found, found[-1].document_key
                    found.append(one.document)
            if len(standing) < look:
                return found, ""
            after_key = standing[-1].document.document_key
        return found, after_key

    async def count(self, collection: str, wanted: Filter) -> int:
        """How many documents meet the filter. Raises CollectionNotFound."""
        return sum([count async for count in self._counts(collection, wanted)])

    async def _counts(self, collection: str, wanted: Filter) -> AsyncIterator[int]:
        after_key = ""
        while standing := await self.contents.standing_after(collection, after_key, LOOK):
            yield sum(one.meets(wanted) for one in standing)
            after_key = standing[-1].document.document_key
