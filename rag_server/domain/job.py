"""A job and its life. `TRANSITIONS` is the whole truth about which state may follow which."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from rag_server.domain.failure import Failure, FailureReason

MAX_ATTEMPTS = 8  # begun attempts that failed for a passing reason
MAX_CRASHES = 3  # attempts that ended with the worker's death
DEFAULT_PRIORITY = 5


class JobKind(StrEnum):
    """What a job does."""

    INGEST = "INGEST"  # takes one document in
    TEXTS = "TEXTS"  # takes texts in, each a document of its own
    DELETE = "DELETE"  # deletes the documents that meet a filter
    MAINTENANCE = "MAINTENANCE"  # builds a compressed segment of a collection's vectors


class JobState(StrEnum):
    """Where a job is in its life; the names are those of the contract."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    SUCCEEDED_PARTIALLY = "SUCCEEDED_PARTIALLY"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    DEAD = "DEAD"


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    # A queued job succeeds at once where the document stands unchanged.
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(JobState) - {JobState.RUNNING},
    JobState.SUCCEEDED: frozenset(),
    JobState.SUCCEEDED_PARTIALLY: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.DEAD: frozenset({JobState.QUEUED}),
}
TERMINAL = frozenset(
    {JobState.SUCCEEDED, JobState.SUCCEEDED_PARTIALLY, JobState.FAILED, JobState.CANCELLED, JobState.DEAD}
)
FOUND = frozenset({JobState.SUCCEEDED, JobState.SUCCEEDED_PARTIALLY})


class JobStage(StrEnum):
    """What a running job is busy with, in order."""

    EXTRACTING = "EXTRACTING"
    CHUNKING = "CHUNKING"
    EMBEDDING = "EMBEDDING"
    PUBLISHING = "PUBLISHING"


class IngestOutcome(StrEnum):
    """What a successful ingestion did."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. Totals are 0 while unknown; the rate is units of the stage per second, 0 while unknown."""

    stage: JobStage | None = None
    pages_done: int = 0
    pages_total: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    rate_per_s: float = 0.0
    eta_s: float | None = None
    documents_done: int = 0  # of jobs about several documents
    documents_total: int = 0


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """What a job about several documents did to them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    superseded: int = 0  # what was asked for later stands instead
    rejected: int = 0  # could not be taken in

    @property
    def done(self) -> int:
        """How many documents the job is through with."""
        return self.created + self.updated + self.unchanged + self.deleted + self.superseded + self.rejected


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. Everything in it is decided before the job exists."""

    job_id: str  # UUIDv7
    collection: str  # the bare id
    document_key: str  # empty unless one document is taken in
    file_name: str
    sha256: str  # of the bytes that are taken in; empty where none are
    size_bytes: int
    media_type: str = ""
    metadata_json: str = "{}"
    tags: tuple[str, ...] = ()
    priority: int = DEFAULT_PRIORITY
    request_id: str = ""  # the client's own id of this upload
    traceparent: str = ""
    origin_request_id: str = ""  # of the call that asked; logs bear it, as they bear the traceparent
    kind: JobKind = JobKind.INGEST
    parameters_json: str = "{}"  # what only this kind of job has


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of a job. Times are seconds since the epoch, None where the thing has not happened."""

    order: Order
    state: JobState
    revision: int
    create_time: float
    update_time: float
    progress: Progress = field(default_factory=Progress)
    failure: Failure | None = None  # set iff FAILED or DEAD
    problem: Failure | None = None  # why a success is partial: set iff SUCCEEDED_PARTIALLY
    document_id: str = ""  # set iff an INGEST job has succeeded
    document_version: int = 0
    outcome: IngestOutcome | None = None
    result: DocumentCounts = field(default_factory=DocumentCounts)  # of other jobs, as far as they came
    sequence: int = 0
    attempt: int = 0
    crashes: int = 0
    cancel_requested: bool = False
    start_time: float | None = None
    end_time: float | None = None
    next_attempt_time: float | None = None
    queue_position: int | None = None  # jobs ahead; set iff QUEUED and asked for

    @property
    def ended(self) -> bool:
        """Whether the state is terminal."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs have the same state for the same reason: that of the failure or the problem, None without."""

    state: JobState
    reason: FailureReason | None
    count: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job: every effect checks its fence. Lost when another claim raised the fence."""

    job: Job
    slot: str
    fence: int


def retry_delay_s(attempt: int, jitter: float) -> float:
    """How long to wait before the next attempt: 1, 2, 4 … 300 s, times 0.5 to 1 (`jitter` is from 0 to 1)."""
    return min(300.0, 2.0 ** (attempt - 1)) * (0.5 + jitter / 2)


def accept_time(job_id: str) -> float:
    """When the job was promised, in seconds since the epoch: a UUIDv7 begins with the milliseconds (RFC 9562, 5.7)."""
    return (UUID(job_id).int >> 80) / 1000
