"""What can be searched, and how it is kept in step with the store: ports beside those of ports.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import DocumentChunks
from rag_server.domain.explanation import TermScores
from rag_server.domain.ranking import Scored
from rag_server.domain.search import Mark
from rag_server.domain.wording import Wording


class VectorIndex(Protocol):
    """One state of the vectors of all collections. It never changes; any thread may read it."""

    def search(self, collection: str, vector: NDArray[np.float32], limit: int) -> Scored:
        """The chunks nearest to a unit vector (d,) with their cosines. Chunks with a zero vector are never found."""

    def scores_of(
        self, collection: str, vector: NDArray[np.float32], chunk_ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The cosine of each of the chunks; 0 for one that is not there."""

    def vectors_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, d); NaN for one that is not there."""

    def chunk_ids(self) -> NDArray[np.int64]:
        """All chunks, of all collections, ascending."""


class LexicalIndex(Protocol):
    """One state of the words of all collections. It never changes; any thread may read it."""

    def search(self, collection: str, wording: Wording, limit: int) -> Scored:
        """The chunks that have words of it and meet its conditions, by BM25. Any text makes a valid wording."""

    def scores_of(self, wording: Wording, chunk_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """The BM25 score of each of the chunks, whatever the conditions; 0 for one without the words, or not there."""

    def full_score(self, wording: Wording) -> float:
        """About the BM25 score of a passage of usual length that has every word once; 0 where there is no word."""

    def meeting(self, wording: Wording, chunk_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the chunks have the phrases and nothing that is excluded. All do, where there are no conditions."""

    def terms_of(self, wording: Wording, chunk_ids: NDArray[np.int64]) -> list[TermScores]:
        """The parts whose sum `scores_of` gives."""

    def marks_in(self, wording: Wording, passages: Sequence[str]) -> list[tuple[Mark, ...]]:
        """Where words of it stand in each of the passages, as the index takes words for the same."""

    def chunk_ids(self) -> NDArray[np.int64]:
        """All chunks, of all collections, ascending."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexState:
    """Both indexes after the same change."""

    sequence: int
    vectors: VectorIndex
    words: LexicalIndex


class Indexes(Protocol):
    """What can be searched, as it moves on with the change log."""

    @property
    def applied_sequence(self) -> int:
        """Every change up to this one is in the state; -1 while there is none."""

    def current(self) -> IndexState:
        """The newest state. :raises NotReady: there is none yet."""

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """Whether the state has reached the sequence when the time is over; returns as soon as it has."""


StateT_co = TypeVar("StateT_co", covariant=True)


class View(Protocol[StateT_co]):
    """An index in the making: one thread feeds it; what `state` returns, any may read."""

    def clear(self) -> None:
        """Begin with nothing. Called once before all else, and again where the view is to be built anew."""

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        """Take in what became of these documents, in order. Doing it again changes nothing.

        What it raises leaves the view unusable until `clear` or `restore`. :raises ValueError: a vector is not finite.
        """

    def state(self) -> StateT_co:
        """What a reader sees from now on."""

    def freeze(self, folder: Path, earlier: Path | None) -> Callable[[], None]:
        """Put the present state into a new folder.

        Returns the slow part of it, to be run on any thread while this one goes on. Files that never change are linked
        where they stand in `earlier`, the folder of the snapshot before.
        """

    def restore(self, folder: Path) -> None:
        """Take over a state that `freeze` wrote. The files are known to be whole; they stay as they are."""

    def close(self) -> None:
        """Let go of files and threads."""
