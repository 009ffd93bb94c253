"""Looking at the system: is every part well, and does what must hold hold."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rag_server.domain.health import Condition, Part, WorkerState
from rag_server.domain.invariant import Invariant
from rag_server.domain.isolation import missing_layers
from rag_server.domain.job import JobCount, JobState
from rag_server.domain.queue import Queue
from rag_server.index_ports import Indexes
from rag_server.ports import Blobs, ChangeLog, Integrity, Jobs, Workers
from rag_server.queue_ports import Queueing

MIB = 1 << 20
LAG_DEGRADED = 1_000  # changes


@dataclass(frozen=True, slots=True)
class Examining:
    """Examines the store, the queue, the views and the disk of one server."""

    jobs: Jobs
    queueing: Queueing
    log: ChangeLog
    indexes: Indexes
    blobs: Blobs
    workers: Workers
    integrity: Sequence[Integrity]
    model: str
    min_free_bytes: int

    async def health(self) -> list[Part]:
        """The parts, in the order in which data flows through them."""
        queue = await self.queueing.look(time.time())
        workers = self.workers.present()
        return [
            Part("store", Condition.OK, f"sequence {self.log.last_sequence()}"),
            _worker(workers, queue),
            _extractor(workers),
            self._index(),
            Part("model", Condition.OK, self.model),
            self._disk(),
        ]

    async def counts(self) -> list[JobCount]:
        """How many jobs have which state and reason: the states in their order, the most frequent reason first."""
        counts = await self.jobs.count_by_reason()
        return sorted(counts, key=lambda one: (list(JobState).index(one.state), -one.count, one.reason or ""))

    async def verify(self) -> AsyncIterator[Invariant]:
        """The invariants that have a subject, each with what its check found."""
        found = [invariant for part in self.integrity for invariant in await part.check()]
        for invariant in sorted(found, key=lambda invariant: int(invariant.id.removeprefix("I"))):
            yield invariant

    def _index(self) -> Part:
        applied, last = self.indexes.applied_sequence, self.log.last_sequence()
        condition = Condition.DEGRADED if last - applied > LAG_DEGRADED else Condition.OK
        return Part("index", condition, f"{applied} of {last} changes applied")

    def _disk(self) -> Part:
        free = self.blobs.free_bytes()
        low = free < self.min_free_bytes
        return Part("disk", Condition.DEGRADED if low else Condition.OK, f"{free // MIB} MiB free")


def _worker(workers: Sequence[WorkerState], queue: Queue) -> Part:
    """It is told at once why nothing is worked on: nobody is there, or the queue is paused."""
    hindered = [] if workers else ["no worker runs"]
    if queue.pause_time is not None:
        since = datetime.fromtimestamp(queue.pause_time, UTC).isoformat(sep=" ", timespec="seconds")
        hindered.append(f"the queue is paused since {since}")
    detail = "; ".join([*hindered, f"{queue.running} running, {queue.queued} queued"])
    return Part("worker", Condition.DEGRADED if hindered else Condition.OK, detail)


def _extractor(workers: Sequence[WorkerState]) -> Part:
    """It runs under a worker. Less isolation than there could be is told, but hinders nobody."""
    if not workers:
        return Part("extractor", Condition.DEGRADED, "no worker runs")
    return Part("extractor", Condition.OK, "; ".join(_isolation(worker) for worker in workers))


def _isolation(worker: WorkerState) -> str:
    if not worker.isolation:
        return f"{worker.slot} is starting"
    missing = missing_layers(worker.isolation)
    lacking = f", without {' and '.join(missing)}" if missing else ""
    return f"{worker.slot} reads in isolation {worker.isolation}{lacking}"
