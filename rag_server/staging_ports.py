"""What the worker needs of the store to bring a version into it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import StagedChunk, Summary, WholeVersion
from rag_server.domain.failure import Failure
from rag_server.domain.job import Claim


class Staging(Protocol):
    """The way of a version into the store, under a claim's fence. All raise LeaseLost."""

    async def unchanged(self, claim: Claim, now: float) -> bool:
        """Whether the document stands with these very bytes; if so the job is SUCCEEDED as UNCHANGED."""

    async def begin(self, claim: Claim) -> int:
        """The id of the version that this job stages; the same one after a crash."""

    async def known_vectors(self, claim: Claim, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Vectors that the store has for these content hashes: same collection, same model. At most 1,000 hashes."""

    async def stage_text(self, claim: Claim, version_id: int, pages: Iterable[tuple[int, int, str]]) -> None:
        """Replace the version's text: (page number, char_start, text with its separator), in order."""

    async def stage_chunks(self, claim: Claim, version_id: int, chunks: Sequence[StagedChunk]) -> None:
        """Add chunks; one with the same ordinal is replaced. At most 1,000."""

    async def publish(
        self, claim: Claim, version_id: int, summary: Summary, problem: Failure | None, now: float
    ) -> int:
        """Make the version the only one that may be found, in one transaction with the change log and the job's end.

        Returns the sequence. A job accepted before what is published, or before a delete, ends CANCELLED instead (0).
        The count of staged chunks must be the summary's.
        """

    async def publish_whole(self, claim: Claim, version: WholeVersion, now: float) -> int:
        """Begin, stage and publish a small version in one transaction; what an earlier attempt staged is replaced.

        Returns what `publish` does. At most 1,000 chunks.
        """

    async def drop_retired(self, limit: int) -> int:
        """Delete up to `limit` chunks of versions that can no longer be found, the oldest first; returns how many."""
