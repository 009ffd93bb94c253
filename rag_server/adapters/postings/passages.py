"""On which pages passages stand: of documents that have any beyond page 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postings.buffer import Buffer
from rag_server.adapters.postings.values import Ordinals
from rag_server.domain.document import IndexedChunk
from rag_server.domain.filter import Comparison, Condition, meets


@dataclass(frozen=True, slots=True, eq=False)
class Passages:
    """All passages of these documents, in the order of the documents."""

    chunk_ids: NDArray[np.int64]  # (m,)
    ordinals: Ordinals  # (m,) of their documents, ascending
    page_first: NDArray[np.int32]  # (m,)
    page_last: NDArray[np.int32]  # (m,)

    def __len__(self) -> int:
        return len(self.ordinals)

    def take(self, chosen: NDArray[np.bool_]) -> "Passages":
        """Some of them."""
        return Passages(self.chunk_ids[chosen], self.ordinals[chosen], self.page_first[chosen], self.page_last[chosen])

    def paged(self, count: int) -> NDArray[np.bool_]:
        """Which of the first `count` documents have passages here; all passages of the others are on page 1."""
        mask = np.zeros(count, np.bool_)
        mask[self.ordinals] = True
        return mask

    def meeting(self, condition: Condition) -> NDArray[np.bool_]:
        """(m,) those that stand on a page which meets a condition on pages."""
        wanted = condition.value
        if condition.comparison is Comparison.EXISTS:
            return np.ones(len(self), np.bool_)
        if isinstance(wanted, bool) or not isinstance(wanted, int | float):
            return np.zeros(len(self), np.bool_)
        if condition.comparison is Comparison.EQUAL:
            whole = float(wanted).is_integer()
            return (self.page_first <= wanted) & (wanted <= self.page_last) & whole
        # Of pages in order the first or the last meets what any meets.
        pages, places = np.unique(np.concatenate([self.page_first, self.page_last]), return_inverse=True)
        met = np.array([meets(condition, page) for page in pages.tolist()], np.bool_)[places]
        return met[: len(self)] | met[len(self) :]


class GrowingPassages:
    """Passages in the making; one thread adds."""

    def __init__(self, passages: Passages) -> None:
        columns = (passages.chunk_ids, passages.ordinals, passages.page_first, passages.page_last)
        self._rows = Buffer(columns)

    def add(self, ordinal: int, chunks: Sequence[IndexedChunk]) -> None:
        """All passages of a document, where any is beyond page 1."""
        pages = [(chunk.chunk_id, chunk.page_first, chunk.page_last) for chunk in chunks]
        if any(last != 1 for _, _, last in pages):
            chunk_ids, firsts, lasts = zip(*pages, strict=True)
            self._rows.extend(chunk_ids, [ordinal] * len(pages), firsts, lasts)

    def read(self) -> Passages:
        """Those so far."""
        chunk_ids, ordinals, firsts, lasts = self._rows.read()
        return Passages(
            cast("NDArray[np.int64]", chunk_ids),
            cast("Ordinals", ordinals),
            cast("NDArray[np.int32]", firsts),
            cast("NDArray[np.int32]", lasts),
        )


def no_passages() -> Passages:
    """Of a collection that has had no document yet."""
    none = np.empty(0, np.int32)
    return Passages(np.empty(0, np.int64), none, none, none)


def of_living(passages: Passages, alive: NDArray[np.bool_], renumbered: Ordinals) -> Passages:
    """Those of documents that are alive, under their new ordinals."""
    kept = passages.take(alive[passages.ordinals])
    return Passages(kept.chunk_ids, renumbered[kept.ordinals], kept.page_first, kept.page_last)
