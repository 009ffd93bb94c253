"""What can be searched, and how it is kept in step with the store: ports beside those of ports.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import DocumentChunks
from rag_server.domain.explanation import TermScores
from rag_server.domain.filter import Filter
from rag_server.domain.ranking import Scored
from rag_server.domain.search import FacetField, Mark
from rag_server.domain.segment import VectorHolding
from rag_server.domain.version_set import VersionSet
from rag_server.domain.wording import Wording


class VectorIndex(Protocol):
    """One state of the vectors of all collections. It never changes; any thread may read it."""

    def search(
        self, collection: str, vectors: NDArray[np.float32], limit: int, within: VersionSet | None = None
    ) -> list[Scored]:
        """For each of some unit vectors (q, d) the nearest chunks of these versions, with their cosines.

        None stands for all versions. Chunks with a zero vector are never found.
        """

    def scores_of(
        self, collection: str, vector: NDArray[np.float32], chunk_ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The cosine of each of the chunks; 0 for one that is not there."""

    def vectors_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, d); NaN for one that is not there."""

    def versions_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the version that each chunk is of; 0 for one that is not there."""

    def row_count(self, collection: str) -> int:
        """How many chunks of the collection there are."""

    def holdings(self) -> Mapping[str, VectorHolding]:
        """What there is of each collection that has any."""

    def tolerance_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) how far each vector may lie from that of the store: 0 for one that is kept as it is, or is not there."""

    def chunk_ids(self) -> NDArray[np.int64]:
        """All chunks, of all collections, ascending."""


class LexicalIndex(Protocol):
    """One state of the words of all collections. It never changes; any thread may read it."""

    def search(self, collection: str, wording: Wording, limit: int, within: VersionSet | None = None) -> Scored:
        """The chunks of these versions that have words of it and meet its conditions, by BM25.

        None stands for all versions. Any text makes a valid wording.
        """

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


class DocumentIndex(Protocol):
    """One state of what filters ask of documents. It never changes; any thread may read it."""

    def meant(self, collection: str, wanted: Filter) -> VersionSet:
        """The current versions of the collection of which the filter means any passage, and which, where not all."""

    def counts(self, collection: str, field: FacetField, version_ids: NDArray[np.int64]) -> list[tuple[str, int]]:
        """How many of these versions (distinct) have each value, the most first, of equal counts by value."""

    def version_ids(self) -> NDArray[np.int64]:
        """All current versions, of all collections, ascending."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class IndexState:
    """All indexes after the same change."""

    sequence: int
    vectors: VectorIndex
    words: LexicalIndex
    documents: DocumentIndex


class Indexes(Protocol):
    """What can be searched, as it moves on with the change log."""

    @property
    def applied_sequence(self) -> int:
        """Every change up to this one is in the state; -1 while there is none."""

    def current(self) -> IndexState:
        """The newest state. :raises NotReady: there is none yet."""

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """Whether the state has reached the sequence when the time is over; returns as soon as it has."""

    async def wait_patiently(self, sequence: int, timeout_s: float) -> bool:
        """As `wait_for`, but nobody hurries for it: changes that come in quick succession may be applied together."""


class Replicas(Protocol):
    """The other servers of the holding, as far as they are heard of. None of it waits for a network."""

    def tell(self, applied: int) -> None:
        """Let the others know that this server serves, and has applied every change up to this one."""

    def least(self, own: int) -> int:
        """What all have applied where this server has `own`. Who is gone, or does not get on, is not counted."""

    async def moved(self, timeout_s: float) -> None:
        """Return when one of them has told something, or the time is over."""


NAMED_BY_HASH = ".hashed"
"""How the name of a file in a snapshot ends that stands there under the SHA-256 of its bytes, which was verified."""


StateT_co = TypeVar("StateT_co", covariant=True)


class NothingApplied(Exception):
    """What a view stands on does not answer: nobody sees a change yet, and applying it again is all that is needed."""


class View(Protocol[StateT_co]):
    """An index in the making: one thread feeds it; what `state` returns, any may read."""

    def clear(self) -> None:
        """Begin with nothing. Called once before all else, and again where the view is to be built anew."""

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        """Take in what became of these documents, in order. Doing it again changes nothing.

        What it raises leaves the view unusable until `clear` or `restore`, but for NothingApplied, which is raised by
        vectors only. :raises ValueError: a vector is not finite.
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


class SegmentUnusable(Exception):
    """The file of a segment is missing or not what it should be."""


class WordView(View[LexicalIndex], Protocol):
    """The view of the words, whose parts are fewer for some work in quiet times."""

    def tidy(self) -> bool:
        """Called now and then while nothing changes; returns whether `state` is a faster one by now.

        It finds the same. What it raises leaves the view as `apply` does.
        """


class VectorView(View[VectorIndex], Protocol):
    """The view of the vectors, which may take over compressed segments."""

    def adopt(self, collection: str, sha256: str, path: Path) -> None:
        """Take over those rows of a segment that are alive here, from where they are now.

        The file is verified, mapped, and must never change. Doing it again changes nothing.
        :raises SegmentUnusable: nothing has changed.
        """
