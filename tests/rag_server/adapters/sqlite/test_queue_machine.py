"""Random lives of jobs and documents: SQLite does what the small true implementation in memory does, and neither
breaks what must always hold."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rag_server.adapters.sqlite.integrity import SqliteIntegrity
from rag_server.adapters.sqlite.model_pin import pin_model
from rag_server.domain.document import ChangeKind
from rag_server.domain.errors import DocumentNotFound
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import FOUND, TRANSITIONS, Claim, Job, JobStage, JobState, Progress
from rag_server.ports import JobFilter, LeaseLost
from serving.errors import ServiceError
from storage.migrations import upgrade
from storage.sqlite import Database
from tests.contracts.ingesting import LEASE_S, found_texts, order, staged_chunks, summary
from tests.fakes.store_ports import DIMENSIONS, MIGRATIONS, PIPELINE, StorePorts, memory_ports, sqlite_ports

# Nothing here rests on the disk, and a folder in memory spares a thousand waits for it.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of its own is made in it
TEMPLATE = Path(tempfile.mkdtemp()) / "rag_server.db"
CORRUPT = Failure(FailureReason.CORRUPT)
# Few, so that jobs meet.
KEYS = st.sampled_from(["a", "a", "a", "b"])
COLLECTIONS = st.sampled_from(["default", "default", "default", "other"])
CONTENTS = st.sampled_from(["one", "two three", "four five six"])
HASHES = [staged.chunk.content_hash for staged in staged_chunks("one two three four five six a b c d e")]


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        upgrade(TEMPLATE, MIGRATIONS)
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        path = Path(self.folder.name) / "rag_server.db"
        shutil.copy(TEMPLATE, path)
        self.loop = asyncio.new_event_loop()
        self.database = Database(path)
        self.now = 1_000.0
        self.contents: dict[str, str] = {}  # by job id
        self.claims: list[tuple[Claim, Claim]] = []  # SQLite's and the memory's, lost ones included
        self.states: dict[str, JobState] = {}
        self.asked: dict[str, int] = {}  # by job id: the order of asking
        self.last_wish: dict[tuple[str, str], int] = {}  # of what was published or deleted, by collection and key

    @initialize()
    def open(self) -> None:
        self.loop.run_until_complete(pin_model(self.database, "test-model", PIPELINE.model_fingerprint, DIMENSIONS))
        self.sqlite, self.memory = sqlite_ports(self.database), memory_ports()

    def teardown(self) -> None:
        checked = self.loop.run_until_complete(SqliteIntegrity(self.database, lambda: 0.0).check())
        assert all(found.ok for found in checked), checked
        self.loop.run_until_complete(self.database.close())
        self.loop.close()
        self.folder.cleanup()

    def both(self, step: Callable[[StorePorts, int], Awaitable[Any]]) -> list[Any]:
        """The step on both stores (0 and 1), a little later than the one before; what it gave or raised."""
        self.now += 0.001
        return [self.loop.run_until_complete(_outcome(step(store, n))) for n, store in enumerate(self.stores())]

    def stores(self) -> tuple[StorePorts, StorePorts]:
        return self.sqlite, self.memory

    def agree(self, step: Callable[[StorePorts, int], Awaitable[Any]]) -> Any:
        """Both give the same; job snapshots apart from the random ids of documents."""
        ours, theirs = self.both(step)
        assert _comparable(ours) == _comparable(theirs)
        return ours

    @rule(
        key=KEYS,
        content=CONTENTS,
        collection=COLLECTIONS,
        priority=st.sampled_from([0, 5, 9]),
        request_id=st.sampled_from(["", "", "r-1", "r-2"]),
    )
    def admit(self, key: str, content: str, collection: str, priority: int, request_id: str) -> None:
        asked = order(key, content, collection=collection, priority=priority, request_id=request_id)
        job = self.agree(lambda store, _: store.jobs.admit(asked, self.now))
        if isinstance(job, Job):
            self.contents.setdefault(job.order.job_id, content)
            self.asked.setdefault(job.order.job_id, len(self.asked))
            if job.state in FOUND and job.order == asked:
                self.last_wish[collection, key] = self.asked[job.order.job_id]

    @precondition(lambda self: self.contents)
    @rule(data=st.data())
    def admit_again(self, data: st.DataObject) -> None:
        asked = self.loop.run_until_complete(self.sqlite.jobs.get(self._any_job(data))).order
        job = self.agree(lambda store, _: store.jobs.admit(asked, self.now))
        assert job.order == asked

    @rule(slot=st.sampled_from(["slot-0", "slot-1"]))
    def claim(self, slot: str) -> None:
        ours, theirs = self.both(lambda store, _: store.slot.claim(slot, self.now, LEASE_S))
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert (_comparable(ours.job), ours.fence) == (_comparable(theirs.job), theirs.fence)
            self.claims.append((ours, theirs))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), done=st.integers(0, 2))
    def heartbeat(self, data: st.DataObject, done: int) -> None:
        pair = self._any_claim(data)
        progress = Progress(JobStage.EMBEDDING, done)
        self.agree(lambda store, n: store.slot.heartbeat(pair[n], progress, self.now, LEASE_S))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), way=st.sampled_from(["fail", "cancelled", "defer", "release"]))
    def leave(self, data: st.DataObject, way: str) -> None:
        pair = self._any_claim(data)
        ways: dict[str, Callable[[StorePorts, int], Awaitable[None]]] = {
            "fail": lambda store, n: store.slot.fail(pair[n], CORRUPT, self.now),
            "cancelled": lambda store, n: store.slot.cancelled(pair[n], self.now),
            "defer": lambda store, n: store.slot.defer(pair[n], CORRUPT, self.now + 5, self.now),
            "release": lambda store, n: store.slot.release(pair[n], self.now),
        }
        self.agree(ways[way])

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def unchanged(self, data: st.DataObject) -> None:
        pair = self._any_claim(data)
        if self.agree(lambda store, n: store.staging.unchanged(pair[n], self.now)) is True:
            asked = pair[0].job.order
            key = (asked.collection, asked.document_key)
            self.last_wish[key] = max(self.last_wish[key], self.asked[asked.job_id])

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), kept=st.integers(0, 3))
    def stage(self, data: st.DataObject, kept: int) -> None:
        """All of the document, or as much as was done before the worker died."""
        self._stage(self._any_claim(data), kept)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), problem=st.sampled_from([None, None, CORRUPT]))
    def publish(self, data: st.DataObject, problem: Failure | None) -> None:
        """Perhaps before everything is staged."""
        self._publish(self._any_claim(data), problem)

    @rule(whole=st.sampled_from(["a b c d e", ""]), problem=st.sampled_from([None, None, CORRUPT]))
    def work(self, whole: str, problem: Failure | None) -> None:
        """Take a job from the queue to its end; an earlier attempt may have staged more than the document now has."""
        before = len(self.claims)
        self.claim("slot-0")
        if len(self.claims) > before:
            pair = self.claims[-1]
            self.jobs_agree_and_keep_to_the_table()
            if whole:
                self.agree(lambda store, n: _stage(store, pair[n], whole))
            self._stage(pair, 9)
            self._publish(pair, problem)

    @rule(first=CONTENTS, second=CONTENTS, priority=st.sampled_from([0, 5, 9]))
    def two_uploads(self, first: str, second: str, priority: int) -> None:
        """Of one document; the second may overtake the first."""
        self.admit("a", first, "default", 5, "")
        self.admit("a", second, "default", priority, "")
        self.work("", None)

    def _stage(self, pair: tuple[Claim, Claim], kept: int) -> None:
        content = self.contents[pair[0].job.order.job_id]
        self.agree(lambda store, n: _stage(store, pair[n], " ".join(content.split()[:kept])))

    def _publish(self, pair: tuple[Claim, Claim], problem: Failure | None) -> None:
        asked = pair[0].job.order
        content = self.contents[asked.job_id]

        async def step(store: StorePorts, n: int) -> int:
            version_id = await store.staging.begin(pair[n])
            return await store.staging.publish(pair[n], version_id, summary(content), problem, self.now)

        sequence = self.agree(step)
        if isinstance(sequence, int) and sequence:
            key = (asked.collection, asked.document_key)
            assert self.asked[asked.job_id] > self.last_wish.get(key, -1), "what was asked last must win"
            self.last_wish[key] = self.asked[asked.job_id]

    @precondition(lambda self: self.contents)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = self._any_job(data)
        self.agree(lambda store, _: store.jobs.cancel(job_id, self.now))

    @precondition(lambda self: self.contents)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_id = self._any_job(data)
        self.agree(lambda store, _: store.jobs.retry(job_id, self.now))

    @rule(slot=st.sampled_from(["slot-0", "slot-1"]))
    def crash(self, slot: str) -> None:
        self.agree(lambda store, _: store.slot.reclaim(slot, self.now))

    @rule(seconds=st.sampled_from([1.0, 6.0, 16.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.agree(lambda store, _: store.jobs.sweep(self.now))

    @rule(key=KEYS, collection=COLLECTIONS)
    def delete(self, key: str, collection: str) -> None:
        async def step(store: StorePorts, _: int) -> int:
            documents = await store.documents.list_documents(collection, "", 9)
            ids = [document.document_id for document in documents if document.document_key == key]
            if not ids:
                raise DocumentNotFound
            return await store.documents.delete(ids[0], collection, self.now)

        if isinstance(self.agree(step), int):
            self.last_wish[collection, key] = len(self.asked) - 1

    @rule(collection=COLLECTIONS)
    def delete_collection(self, collection: str) -> None:
        if isinstance(self.agree(lambda store, _: store.documents.delete_collection(collection, self.now)), tuple):
            for key in ("a", "b"):
                self.last_wish[collection, key] = len(self.asked) - 1

    @rule(limit=st.integers(1, 4))
    def drop_retired(self, limit: int) -> None:
        self.agree(lambda store, _: store.staging.drop_retired(limit))

    @invariant()
    def jobs_agree_and_keep_to_the_table(self) -> None:
        ours, theirs = self.both(lambda store, _: store.jobs.list_jobs(JobFilter(), "", 999))
        assert _comparable(ours) == _comparable(theirs)
        for job in ours:
            before = self.states.get(job.order.job_id, job.state)
            assert job.state is before or job.state in TRANSITIONS[before], f"{before} -> {job.state}"
            self.states[job.order.job_id] = job.state

    @invariant()
    def what_can_be_found_agrees(self) -> None:
        ours, theirs = self.stores()
        assert sorted(found_texts(ours)) == sorted(found_texts(theirs))
        logs = [[(c.sequence, c.kind, c.collection) for c in s.change_log.changes(0, 999)] for s in self.stores()]
        assert logs[0] == logs[1]
        published = [c.version_id for c in ours.change_log.changes(0, 999) if c.kind is ChangeKind.PUBLISHED]
        assert len(published) == len(set(published))
        agreed = self.both(lambda store, _: store.documents.list_collections("", 9))
        assert agreed[0] == agreed[1]

    def _any_job(self, data: st.DataObject) -> str:
        # By number: the ids are random, and a draw that depends on them could not be repeated.
        return list(self.contents)[data.draw(st.integers(0, len(self.contents) - 1))]

    def _any_claim(self, data: st.DataObject) -> tuple[Claim, Claim]:
        """One that may still hold most of the time, else any."""
        running = [pair for pair in self.claims if self.states[pair[0].job.order.job_id] is JobState.RUNNING]
        every = self.claims if data.draw(st.integers(0, 3)) == 0 else running or self.claims
        return every[-1 - data.draw(st.integers(0, len(every) - 1))]


async def _stage(store: StorePorts, claim: Claim, content: str) -> set[bytes]:
    """Returns what the store has vectors for then."""
    version_id = await store.staging.begin(claim)
    await store.staging.stage_text(claim, version_id, [(1, 0, content)])
    await store.staging.stage_chunks(claim, version_id, staged_chunks(content) if content else [])
    return set(await store.staging.known_vectors(claim, HASHES))


async def _outcome(step: Awaitable[Any]) -> Any:
    try:
        return await step
    except (ServiceError, LeaseLost, ValueError) as error:
        return type(error)


def _comparable(outcome: Any) -> Any:
    match outcome:
        case Job():
            return replace(outcome, document_id="random" if outcome.document_id else "")
        case list():
            return [_comparable(each) for each in outcome]
        case _:
            return outcome


QueueMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestQueue = QueueMachine.TestCase
