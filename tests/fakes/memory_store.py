"""What the in-memory ports of the store share: plain dictionaries, changed between two awaits and thus atomically."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from rag_server.domain.document import Change, ChangeKind, Document, StagedChunk
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import (
    FOUND,
    MAX_CRASHES,
    TERMINAL,
    Claim,
    IngestOutcome,
    Job,
    JobKind,
    JobState,
    Order,
    Progress,
)
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.segment import StoredSegment
from rag_server.domain.texts import same_metadata
from rag_server.ports import LeaseLost

OPEN = frozenset({JobState.QUEUED, JobState.RUNNING})


@dataclass(slots=True)
class JobRecord:
    job: Job
    admission: int
    fence: int = 0
    slot: str = ""
    lease_end: float = 0.0

    def change(self, now: float, state: JobState, **values: Any) -> None:
        """A new state, with all that follows from it."""
        ended = state in TERMINAL
        defaults: dict[str, Any] = {
            "state": state,
            "revision": self.job.revision + (2 if state in FOUND else 1),
            "update_time": now,
            "end_time": now if ended else None,
            "next_attempt_time": None,
            "cancel_requested": self.job.cancel_requested or state is JobState.CANCELLED,
            "progress": replace(self.job.progress, stage=None, rate_per_s=0.0, eta_s=None) if ended else Progress(),
        }
        self.job = replace(self.job, **{**defaults, **values})


@dataclass(slots=True)
class Version:
    version_id: int
    order: Order
    pipeline: Pipeline
    document: Document | None = None  # from publishing on
    problem: Failure | None = None
    part_of: str = ""  # SHA-256 of the file of texts that it came with
    erased: bool = False
    retired: bool = False
    pages: list[tuple[int, int, str]] = field(default_factory=list)
    chunks: dict[int, tuple[int, StagedChunk]] = field(default_factory=dict)  # by ordinal, with the chunk's id

    @property
    def staged(self) -> bool:
        return self.document is None and not self.retired


@dataclass(slots=True)
class MemoryStore:
    pipeline: Pipeline
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    pause_time: float | None = None
    versions: dict[int, Version] = field(default_factory=dict)
    current: dict[tuple[str, str], int] = field(default_factory=dict)  # version ids by collection and key
    answers_to: dict[tuple[str, str], int] = field(default_factory=dict)  # admissions by collection and key
    buried: dict[tuple[str, str], int] = field(default_factory=dict)  # admissions by collection and key or ""
    collections: dict[str, float] = field(default_factory=dict)
    history: list[Document] = field(default_factory=list)  # versions that were replaced
    changes: list[Change] = field(default_factory=list)
    segments: dict[int, StoredSegment] = field(default_factory=dict)  # those in use
    last_segment_id: int = 0
    last_admission: int = 0
    last_version_id: int = 0
    last_chunk_id: int = 0

    def claimed(self, claim: Claim) -> JobRecord:
        """Raises LeaseLost."""
        record = self.jobs.get(claim.job.order.job_id)
        if record is None or record.fence != claim.fence or record.job.state is not JobState.RUNNING:
            raise LeaseLost
        return record

    def maintenance_is_open(self, collection: str) -> bool:
        orders = [record.job.order for record in self.jobs.values() if record.job.state in OPEN]
        return any(order.kind is JobKind.MAINTENANCE and order.collection == collection for order in orders)

    def staged_version(self, job_id: str) -> Version | None:
        return next((v for v in self.versions.values() if v.order.job_id == job_id and v.staged), None)

    def document(self, key: tuple[str, str]) -> Document | None:
        version_id = self.current.get(key)
        return None if version_id is None else self.versions[version_id].document

    def drop_staged(self, job_id: str) -> None:
        version = self.staged_version(job_id)
        if version is not None:
            version.retired = True

    def crash(self, records: Iterable[JobRecord], now: float) -> int:
        """These running jobs lost their workers."""
        crashed = list(records)
        for record in crashed:
            crashes = record.job.crashes + 1
            if record.job.cancel_requested:
                self.cancel(record, now, crashes=crashes)
            elif crashes >= MAX_CRASHES:
                failure = Failure(FailureReason.WORKER_CRASHED)
                record.change(now, JobState.DEAD, crashes=crashes, failure=failure)
            else:
                record.change(now, JobState.QUEUED, crashes=crashes)
        return len(crashed)

    def cancel(self, record: JobRecord, now: float, **values: Any) -> None:
        record.change(now, JobState.CANCELLED, **values)
        self.drop_staged(record.job.order.job_id)

    def ask_to_cancel(self, record: JobRecord, now: float) -> None:
        """A queued job ends at once; a running one hears of it."""
        if record.job.state is JobState.QUEUED:
            self.cancel(record, now)
        elif record.job.state is JobState.RUNNING and not record.job.cancel_requested:
            progress = record.job.progress
            record.change(now, JobState.RUNNING, cancel_requested=True, progress=progress)

    def superseded(self, record: JobRecord, document_key: str = "") -> bool:
        """Whether something later won: for the job's own key, or for another one of its collection."""
        key = (record.job.order.collection, document_key or record.job.order.document_key)
        buried = max(self.buried.get(key, 0), self.buried.get((key[0], ""), 0))
        return record.admission <= buried or record.admission < self.answers_to.get(key, 0)

    def end_if_unchanged(self, record: JobRecord, now: float) -> bool:
        """UNCHANGED, where the document stands as ordered and no earlier job is still to change it."""
        order = record.job.order
        key = (order.collection, order.document_key)
        earlier = any(
            other.job.state in OPEN and other.admission < record.admission and key_of(other.job.order) == key
            for other in self.jobs.values()
        )
        document = self.document(key)
        if earlier or record.job.cancel_requested or document is None or document.sha256 != order.sha256:
            return False
        version = self.versions[self.current[key]]
        if version.pipeline != self.pipeline or not _says_nothing_new(order, document):
            return False
        self.answers_to[key] = max(self.answers_to[key], record.admission)
        self.succeed(record, version, IngestOutcome.UNCHANGED, now)
        self.drop_staged(order.job_id)
        return True

    def succeed(self, record: JobRecord, version: Version, outcome: IngestOutcome, now: float) -> None:
        document = version.document
        assert document is not None
        record.change(
            now,
            JobState.SUCCEEDED if version.problem is None else JobState.SUCCEEDED_PARTIALLY,
            problem=version.problem,
            outcome=outcome,
            document_id=document.document_id,
            document_version=document.version,
            sequence=document.sequence,
            progress=Progress(
                pages_done=document.page_count,
                pages_total=document.page_total,
                chunks_done=document.chunk_count,
                chunks_total=document.chunk_count,
            ),
        )

    def retire(self, key: tuple[str, str]) -> None:
        """The current version of the key, if there is one, is about to be replaced."""
        document = self.document(key)
        if document is not None:
            self.versions[self.current[key]].retired = True
            self.history.append(document)

    def log(self, kind: ChangeKind, what: tuple[str, str, int], now: float, segment_id: int = 0) -> int:
        """An entry for `what`: collection, document id, version id."""
        self.changes.append(Change(len(self.changes) + 1, kind, *what, segment_id, now))
        return len(self.changes)


def _says_nothing_new(order: Order, document: Document) -> bool:
    same = order.metadata_json == "{}" or same_metadata(order.metadata_json, document.metadata_json)
    return same and (not order.tags or set(order.tags) == set(document.tags))


def key_of(order: Order) -> tuple[str, str]:
    return order.collection, order.document_key
