"""What the rag_server needs from the world, in verbs of its domain.

Ports that do I/O are asynchronous and raise serving's Unavailable kinds where the medium fails; computing ports are
plain functions that the caller runs in a thread. Times are seconds since the epoch, given by the caller.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.document import (
    Change,
    Collection,
    Document,
    IndexedChunk,
    Passage,
)
from rag_server.domain.extraction import Extraction, ExtractionLimits, SourceHints
from rag_server.domain.failure import Failure
from rag_server.domain.filter import Attributes
from rag_server.domain.health import WorkerState
from rag_server.domain.invariant import Invariant
from rag_server.domain.job import Claim, Job, JobCount, JobState, Order, Progress
from rag_server.domain.segment import StoredSegment
from serving.errors import Unusable
from storage.blobs import Blob


class LeaseLost(Exception):
    """The claim's fence was raised: somebody else has the job, or it ended. Stop, without any effect."""


class ModelMismatch(Unusable):
    """The store holds vectors of another model; the message says what to do."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list. Empty means all."""

    collection: str = ""
    states: frozenset[JobState] = frozenset()


class Jobs(Protocol):
    """The job queue, from the side of those who ask."""

    async def admit(self, order: Order, now: float) -> Job:
        """Make the job, or return the one that the job id or request id already stands for.

        Where the document stands with the same bytes under the same pipeline, and nothing is under way for its key, the
        job is SUCCEEDED at once as UNCHANGED. :raises RequestIdReused: the request id stands for another upload.
        """

    async def admit_known(self, order: Order, now: float) -> Job | None:
        """As `admit`, where no bytes are needed: the request id stands for a job, or the document stands unchanged.

        None, and nothing made, where they are. An empty hash in the order is not known yet, and stands for any.
        """

    async def get(self, job_id: str) -> Job:
        """:raises JobNotFound:"""

    async def changed(self, known: Mapping[str, int]) -> list[Job]:
        """Those of the jobs with these ids whose revision is no longer the one given, in no order."""

    async def list_jobs(self, wanted: JobFilter, before_job_id: str, limit: int) -> list[Job]:
        """The latest first (by job id); only those before `before_job_id`, where it is not empty."""

    async def cancel(self, job_id: str, now: float) -> Job:
        """Cancel a queued job; ask the worker of a running one; leave a cancelled one.

        :raises JobNotFound: :raises JobEnded:
        """

    async def retry(self, job_id: str, now: float) -> Job:
        """Queue it again, attempts and crashes from 0. :raises JobNotFound: :raises JobNotRetryable:"""

    async def sweep(self, now: float) -> int:
        """Take jobs from workers whose lease ran out: QUEUED again, or DEAD after MAX_CRASHES. Returns how many."""

    async def prune(self, now: float) -> int:
        """Forget jobs that ended more than 30 days ago, up to 1,000 at once. Returns how many."""

    async def counts(self) -> Mapping[JobState, int]:
        """How many jobs there are in each state that has any."""

    async def count_by_reason(self) -> list[JobCount]:
        """How many jobs there are of each state and reason that has any; in no order. Reads the whole table."""


class Slot(Protocol):
    """The job queue, from the side of the one worker that holds a slot. All but `claim` raise LeaseLost."""

    async def reclaim(self, slot: str, now: float) -> int:
        """Take back the lease that this slot's former process left: a crash is counted, DEAD after MAX_CRASHES."""

    async def claim(self, slot: str, now: float, lease_s: float) -> Claim | None:
        """The first job that is due (highest priority, then oldest), now RUNNING under a new fence; None if none is."""

    async def heartbeat(self, claim: Claim, progress: Progress, now: float, lease_s: float) -> bool:
        """Renew the lease and tell the progress; True if the job is to be cancelled."""

    async def fail(self, claim: Claim, failure: Failure, now: float) -> None:
        """The input is at fault: FAILED. What was staged is dropped."""

    async def cancelled(self, claim: Claim, now: float) -> None:
        """The worker has stopped as asked: CANCELLED. What was staged is dropped."""

    async def defer(self, claim: Claim, failure: Failure, next_attempt_time: float, now: float) -> None:
        """A passing fault: QUEUED until then, or DEAD where the attempts are used up. What was staged is kept."""

    async def release(self, claim: Claim, now: float, next_attempt_time: float | None = None) -> None:
        """The worker ends or gives way: QUEUED, at once or from then on, the attempt not counted, nothing dropped."""

    async def documents_wait(self, now: float) -> bool:
        """Whether a job is due that is about documents; raises no LeaseLost."""


class Documents(Protocol):
    """Documents and collections that can be found."""

    async def get(self, document_id: str, collection: str = "") -> Document:
        """In any collection, where none is given. :raises DocumentNotFound:"""

    async def list_documents(self, collection: str, after_key: str, limit: int) -> list[Document]:
        """By key, only those after `after_key`. :raises CollectionNotFound:"""

    async def delete(self, document_id: str, collection: str, now: float) -> int:
        """Returns the sequence; cancels jobs of the same key. :raises DocumentNotFound:"""

    async def get_collection(self, collection: str) -> Collection:
        """:raises CollectionNotFound:"""

    async def list_collections(self, after: str, limit: int) -> list[Collection]:
        """By name, only those after `after`."""

    async def delete_collection(self, collection: str, now: float) -> tuple[int, int]:
        """Returns the sequence and how many documents went; cancels its jobs. :raises CollectionNotFound:"""


class ChangeLog(Protocol):
    """What the views follow. Plain functions: the follower has a thread of its own."""

    def last_sequence(self) -> int:
        """The sequence of the last change; 0 where there is none."""

    def changes(self, after: int, limit: int) -> list[Change]:
        """The next changes, in order, without gaps."""

    def is_growing(self) -> bool:
        """Whether a job waits or runs, so that more may come soon."""

    def chunks_of(self, version_ids: Sequence[int], most: int) -> dict[int, list[IndexedChunk]]:
        """The chunks of the first of these versions: of so many versions that `most` chunks are reached, or of all.

        By version id, and in it by ordinal; none where it is no longer current (a later change says so).
        """

    def attributes_of(self, version_ids: Sequence[int]) -> dict[int, Attributes]:
        """What filters can tell of these versions, by id; one that is no longer current is missing. At most 1,000."""

    def segment(self, segment_id: int) -> StoredSegment | None:
        """The segment; None where it is out of use by now (a later change, or none is needed, says more)."""

    def current_chunk_ids(self) -> NDArray[np.int64]:
        """Ids of all chunks that may be found, ascending."""

    def current_version_ids(self) -> NDArray[np.int64]:
        """Ids of all versions that may be found, ascending."""

    def passages(self, chunk_ids: Sequence[int]) -> dict[int, Passage]:
        """Those of the chunks that may be shown now, by id. A stale id is simply missing."""


class Integrity(Protocol):
    """Looks whether what must always hold does hold, on the live store."""

    async def check(self) -> list[Invariant]:
        """The store's own invariants, from one consistent snapshot."""


class References(Protocol):
    """Which stored bytes are needed."""

    def wanted(self, sha256: str) -> bool:
        """Whether a document that stands, or a job that may still run, needs them. Plain: a thread sweeps."""


class Workers(Protocol):
    """Whether somebody drains the queue."""

    def present(self) -> Sequence[WorkerState]:
        """The worker processes that hold a slot now, each with what it last told of itself."""


class Wakeups(Protocol):
    """Nudges between processes: something changed, look at the store. A lost one only costs a polling interval."""

    def notify(self, topic: str) -> None:
        """Tell the other processes; topics are `queue` (something to claim), `cancel`, `jobs` and `changes`."""

    async def wait(self, topics: frozenset[str], timeout_s: float) -> None:
        """Return at the next nudge on one of the topics, or when the time is over."""


class BlobUpload(Protocol):
    """Bytes on their way into the blob store; as a context manager it forgets what was not finished."""

    size_bytes: int

    async def write(self, piece: bytes) -> None:
        """Add bytes. :raises OSError:"""

    def sha256(self) -> str:
        """The hash of what was written, in hexadecimal digits."""

    async def finish(self) -> Blob:
        """Force the bytes to the disk and give them their name. :raises OSError:"""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


class Blobs(Protocol):
    """Files by content, shared with the gateway. All but `begin` and `free_bytes` may wait for a network."""

    def begin(self) -> BlobUpload:
        """Start an upload."""

    def path(self, sha256: str) -> Path:
        """A file of this machine with the bytes of this hash; there is none at the path where there are no bytes.

        It may be gone once another one is asked for. :raises OSError:
        """

    def has(self, blob: Blob) -> bool:
        """Whether the bytes are there, with that size."""

    def free_bytes(self) -> int:
        """What the disk has left."""

    def draft(self) -> Path:
        """A new name beside uploads under way, for a file that another process writes."""

    def take(self, written: Path) -> Blob:
        """Hash a file that was written there, force it to the disk and give it its name; waits. :raises OSError:"""

    def sweep(self, wanted: Callable[[str], bool], older_than_s: float) -> int:
        """Remove files that nobody wants and that were not touched for so long; returns how many."""


class Extractor(Protocol):
    """Reads files, in a process of its own."""

    async def extract(
        self, source: Path, hints: SourceHints, limits: ExtractionLimits, on_progress: Callable[[int, int], None]
    ) -> Extraction:
        """Read all pages; `on_progress(pages_done, pages_total)` as they come, total 0 while unknown.

        :raises IngestionFailed: with the reason. Pages that were out when the parser died are returned with `problem`.
        """

    async def close(self) -> None:
        """End the process."""
