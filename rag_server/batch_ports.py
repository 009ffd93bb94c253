"""What jobs about several documents need from the store."""

from collections.abc import Callable, Sequence
from typing import Protocol

from rag_server.domain.extraction import Extraction
from rag_server.domain.failure import Failure
from rag_server.domain.filter import Attributes
from rag_server.domain.job import Claim, DocumentCounts
from rag_server.domain.texts import TextItem, TextOutcome

ReadText = Callable[[str, str], Extraction]
"""Reads a text of a media type, `text/plain` or `text/markdown`; takes CPU time."""


class Batches(Protocol):
    """The way of several documents into the store, and out of it, under a claim's fence. All raise LeaseLost.

    What was asked last wins, for each document by itself: the job gives way to what was asked for after it.
    """

    async def standing(self, claim: Claim, items: Sequence[TextItem]) -> frozenset[str]:
        """The keys of those whose documents stand with the same text, metadata, tags and title."""

    async def publish(self, claim: Claim, done: int, texts: Sequence[TextOutcome], now: float) -> DocumentCounts:
        """Make them the only versions of their documents that may be found, in one transaction; counts so far.

        `done` is how many the job was through with before. One entry of the change log for each document.
        """

    async def delete(self, claim: Claim, documents: Sequence[Attributes], now: float) -> DocumentCounts:
        """Delete those that still stand with that version, in one transaction; counts so far."""

    async def finish(self, claim: Claim, problem: Failure | None, now: float) -> int:
        """The job has succeeded; with a problem in part only. Returns the sequence that has all it did."""
