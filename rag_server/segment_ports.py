"""What compressed segments need: of the store, and of whoever builds them."""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.job import Claim, Order
from rag_server.domain.segment import StoredSegment
from storage.blobs import Blob

MAX_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class VectorRows:
    """Vectors of chunks that stand."""

    chunk_ids: NDArray[np.int64]  # (n,) ascending
    version_ids: NDArray[np.int64]  # (n,)
    document_ids: list[str]  # n
    vectors: NDArray[np.float32]  # (n, d)


@dataclass(frozen=True, slots=True)
class BuiltSegment:
    """A new segment that is a blob already."""

    blob: Blob
    row_count: int  # > 0


class Segments(Protocol):
    """The segments of the store."""

    async def ask(self, order: Order, now: float) -> bool:
        """Make a job of kind MAINTENANCE, unless one for the collection waits or runs; whether it was made."""

    async def current(self, collection: str) -> list[StoredSegment]:
        """Those in use, the oldest first."""

    def living(self, collection: str) -> AsyncIterator[NDArray[np.int64]]:
        """The ids of all chunks that may be found, in portions, each read in a short transaction of its own."""

    async def rows(self, chunk_ids: NDArray[np.int64]) -> VectorRows:
        """Those of the chunks that may be found now. At most MAX_ROWS_AT_ONCE."""

    async def publish(self, claim: Claim, built: BuiltSegment | None, replaced: Collection[int], now: float) -> int:
        """Put a segment into use and others out of it, in one transaction with the change log and the job's end.

        Returns the sequence; 0 where no segment was built, or the job ended CANCELLED instead. :raises LeaseLost:
        """


class SegmentBuild(Protocol):
    """A segment in the making, by somebody else. Whatever fails raises BuildFailed."""

    async def add(self, rows: VectorRows) -> None:
        """Hand in rows; waits while many are still to be taken."""

    async def finish(self) -> int:
        """No more rows come: wait until the file is written. Returns how many rows it has."""

    def pause(self) -> None:
        """Compute nothing until `resume`."""

    def resume(self) -> None:
        """Go on."""

    async def end(self) -> None:
        """Stop, whether finished or not. What was written besides the file is gone then."""


class BuildFailed(Exception):
    """The builder ended without a segment."""


class SegmentBuilder(Protocol):
    """Builds segments."""

    async def begin(self, path: Path, expected_rows: int, on_progress: Callable[[int, int], None]) -> SegmentBuild:
        """Begin to build at `path`, with scratch beside it; `on_progress(done, total)` in rows."""

    def chunk_ids(self, path: Path, sha256: str) -> NDArray[np.int64]:
        """The chunks in a segment that was built before. :raises BuildFailed: it is missing or damaged."""
