"""What the gateway needs from the world, in verbs of its domain.

All but the blob folder's quick looks is asynchronous. Times are seconds since the epoch, given by the caller. Where
the medium fails: serving's Unavailable kinds, RagServerUnavailable for the rag_server, OSError for blobs.
"""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

from gateway.domain.entry import Entry, EntryState, Refusal
from gateway.domain.snapshot import Snapshot
from storage.blobs import Blob

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list. Empty means all."""

    collection: str = ""
    states: frozenset[EntryState] = frozenset()


class Outbox(Protocol):
    """The acknowledged uploads, from the side of those who ask."""

    async def accept(self, entry: Entry, holder: str = "", until: float = 0.0) -> Entry:
        """Keep it durably; or return the entry that its request id or job id already stands for.

        Where a new one would be among the forwarder's heads it is claimed for the holder, if there is one, and `held`.

        :raises RequestIdReused: the request id stands for another document or other bytes.
        """

    async def get(self, job_id: str) -> Entry | None:
        """None where there is no such entry: the rag_server may know the job."""

    async def find_request(self, request_id: str) -> Entry | None:
        """The entry of a client's own id, which is not empty."""

    async def list_entries(self, wanted: EntryFilter, before_job_id: str, limit: int) -> list[Entry]:
        """The latest first (by job id); only those before `before_job_id`, where it is not empty."""

    async def cancel(self, job_id: str, now: float) -> Entry | None:
        """The entry after the request; CANCELLED if it was PENDING, else as it was. None where there is none."""

    async def cancel_documents(self, collection: str, document_key: str, now: float) -> int:
        """Cancel what is PENDING for a document, or, where the key is empty, for a whole collection. How many."""

    async def retry(self, job_id: str, now: float) -> Entry | None:
        """The entry after the request; PENDING, at the end of the order, if it was REFUSED or CANCELLED."""


class OutboxWork(Protocol):
    """The acknowledged uploads, from the side of the forwarder.

    What it says of an entry counts only while the entry has the revision that the forwarder saw. Several forwarders may
    share an outbox: each claims what it hands over, under a name of its own, its holder.
    """

    async def heads(self, after_position: int, limit: int, holder: str, now: float) -> list[Entry]:
        """Open entries after a position, by position, the first of each document; texts count for all documents.

        Those that others hold are left out; what follows them still waits.
        """

    async def claim(self, entry: Entry, holder: str, now: float, until: float) -> bool:
        """Hold the entry alone until then, or for longer than before. False where it is held, or not as it was seen."""

    async def has_open(self, collection: str, document_key: str) -> bool:
        """Whether the forwarder still has something to do for the document."""

    async def forwarded(self, entry: Entry, known_as: str, now: float) -> bool:
        """The rag_server has the job, under the id `known_as`: FORWARDED. False where it is not as it was seen."""

    async def refused(self, entry: Entry, refusal: Refusal, now: float) -> None:
        """It will not have it: REFUSED."""

    async def withdrawn(self, entry: Entry, now: float) -> None:
        """It never heard of the job that was cancelled here: nothing is left to do."""


class OutboxRecords(Protocol):
    """The acknowledged uploads, from the side of those who look after them."""

    async def pending_blobs(self) -> list[Blob]:
        """What waits to be handed over."""

    async def counts(self) -> tuple[int, float | None]:
        """How many are PENDING, and when the oldest of them was accepted."""

    async def prune(self, before: float) -> int:
        """Forget entries that nothing is left to do for and that changed last before then; returns how many."""


class BlobWriter(Protocol):
    """One upload; as a context manager it forgets what was not finished."""

    size_bytes: int

    async def write(self, piece: bytes) -> None:
        """Add bytes."""

    def sha256(self) -> str:
        """The hash of everything that was written; of a large upload, in a thread."""

    async def finish(self) -> Blob:
        """Force the bytes to the disk and give them their name."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...


class Blobs(Protocol):
    """The blob store."""

    def begin(self) -> BlobWriter:
        """Start an upload."""

    def has(self, blob: Blob) -> bool:
        """Whether the bytes are there, with that size."""

    def keep(self, sha256: str) -> None:
        """Mark the bytes as wanted now, so that a sweep leaves them alone. :raises FileNotFoundError:"""

    def free_bytes(self) -> int:
        """What the disk has left."""

    def incoming(self) -> list[Path]:
        """Uploads under way, and such as broke off."""


class RefusedByRagServer(Exception):
    """The rag_server will not have an upload, now or later."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.reason)


class HandOverFailed(Exception):
    """The rag_server answered, but could not take the upload now: try again later."""


class RagServerIntake(Protocol):
    """The rag_server, from the side of the forwarder."""

    async def hand_over(self, entry: Entry) -> str:
        """Give it the upload by reference; returns the id of its job. Doing it twice is harmless.

        :raises RefusedByRagServer: :raises HandOverFailed: :raises RagServerUnavailable:
        """

    async def withdraw(self, job_id: str) -> bool:
        """Cancel the job, where there is one and it has not ended; False where there is none.

        :raises HandOverFailed: :raises RagServerUnavailable:
        """

    async def reachable(self) -> None:
        """Return at once where calls go through; else as soon as they do again."""


class RagServerFeed(Protocol[T_co]):
    """The life of jobs in the rag_server. `T_co` is what clients are shown."""

    def watch(self, job_id: str, after_revision: int | None) -> AsyncGenerator[Snapshot[T_co]]:
        """Snapshots as they come. An end without a terminal one is a lost connection. :raises RagServerUnavailable:"""

    async def look(self, job_id: str, wait_s: float) -> Snapshot[T_co]:
        """The job when it has ended, or as it is when the time is over. :raises RagServerUnavailable:"""

    async def reachable(self) -> None:
        """Return at once where calls go through; else as soon as they do again."""


class RagServerRecords(Protocol):
    """What the rag_server has."""

    async def missing(self, job_ids: Iterable[str]) -> list[str]:
        """Those of the jobs that it does not know. :raises RagServerUnavailable:"""
