"""Small documents from clients that try again until they have an answer, and what must be true of them afterwards."""

# ruff: noqa: S608 - names of collections are ours

import hashlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration

from acervo.rag.v1 import ingest_service_pb2, job_pb2, job_service_pb2, search_service_pb2
from acervo.rag.v1.ingest_service_pb2_grpc import IngestServiceStub
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from bench.prose import prose
from bench.replicas import Postgres
from bench.waiting import pause

T = TypeVar("T")
CLIENTS = 6
CALL_S = 20.0
WAIT_S = 5
AGAIN_S = 0.3
PATIENCE_S = 300.0  # of a client, for one answer
WORDS = 60
ASKED_TWICE = 10  # one in so many sends its request once more, though it was answered
FOUND = (job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_SUCCEEDED_PARTIALLY)
ENDED = (*FOUND, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED, job_pb2.JOB_STATE_DEAD)


@dataclass(frozen=True, slots=True)
class Note:
    """One document, with a word that nothing else has."""

    key: str
    word: str
    content: bytes

    @classmethod
    def number(cls, number: int) -> "Note":
        """Always the same for a number."""
        word = f"palavra{hashlib.sha256(str(number).encode()).hexdigest()[:14]}"
        return cls(f"note-{number}.txt", word, f"{prose(number, WORDS)}\n\nA nota {word} termina aqui.\n".encode())


class Asking:
    """Calls that go to the gateways by turns, again and again until one answers."""

    def __init__(self, gateways: Sequence[str]) -> None:
        options = [("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", 1_000)]
        self._channels = [grpc.insecure_channel(address, options=options) for address in gateways]
        self._turn = count()
        self._closed = threading.Event()
        self.outcomes: Counter[str] = Counter()

    def surely(self, call: Callable[[grpc.Channel], T], what: str) -> T:
        """The answer. Raises TimeoutError, and what a client must not see: an error that is not passing."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s and not self._closed.is_set():
            channel = self._channels[next(self._turn) % len(self._channels)]
            try:
                answer = call(channel)
            except grpc.RpcError as error:
                self.outcomes[error.code().name] += 1
                pause(AGAIN_S)
            else:
                self.outcomes["answered"] += 1
                return answer
        raise TimeoutError(f"{what}: no answer within {PATIENCE_S:.0f} s")

    def take_in(self, note: Note, collection: str, request_id: str) -> str:
        """The name of the job."""

        def call(channel: grpc.Channel) -> str:
            answer = IngestServiceStub(channel).Ingest(_parts(note, collection, request_id), timeout=CALL_S)
            return str(answer.job.name)

        return self.surely(call, note.key)

    def end_of(self, name: str) -> job_pb2.JobState.ValueType:
        """The state that a job ended in."""
        request = job_service_pb2.GetJobRequest(name=name, wait=Duration(seconds=WAIT_S))
        state = job_pb2.JOB_STATE_UNSPECIFIED
        end_s = time.monotonic() + PATIENCE_S
        while state not in ENDED and time.monotonic() < end_s:
            state = self.surely(lambda channel: JobServiceStub(channel).GetJob(request, timeout=CALL_S).job.state, name)
        return state

    def retry(self, name: str) -> None:
        """What was set aside is tried again, as an operator would."""
        request = job_service_pb2.RetryJobRequest(name=name)
        self.surely(lambda channel: JobServiceStub(channel).RetryJob(request, timeout=CALL_S), name)

    def close(self) -> None:
        """Who still asks gives up; end the connections."""
        self._closed.set()
        for channel in self._channels:
            channel.close()


class Sending:
    """Notes that are taken in by several clients in threads of their own."""

    def __init__(self, asking: Asking, notes: Sequence[Note], collection: str) -> None:
        self.jobs: dict[str, str] = {}  # by key
        self.faults: list[str] = []
        self.dead_letters = 0
        self._asking = asking
        self._notes = notes
        self._collection = collection
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="client")
        self._futures = [self._pool.submit(self._one, number) for number in range(len(notes))]

    @property
    def done(self) -> int:
        """How many of them have ended."""
        return sum(future.done() for future in self._futures)

    @property
    def finished(self) -> bool:
        """Whether all have."""
        return self.done == len(self._futures)

    def wait(self) -> None:
        """Until each client has its answers."""
        for future in self._futures:
            future.result()
        self._pool.shutdown()

    def _one(self, number: int) -> None:
        note, request_id = self._notes[number], str(uuid.uuid4())
        try:
            name = self._asking.take_in(note, self._collection, request_id)
            if number % ASKED_TWICE == 0 and self._asking.take_in(note, self._collection, request_id) != name:
                self.faults.append(f"{note.key}: the same request got two jobs")
            self.jobs[note.key] = name
            state = self._asking.end_of(name)
            if state == job_pb2.JOB_STATE_DEAD:
                with self._lock:
                    self.dead_letters += 1
                self._asking.retry(name)
                state = self._asking.end_of(name)
        except TimeoutError as error:
            self.faults.append(str(error))
            return
        if state not in FOUND:
            self.faults.append(f"{note.key}: {job_pb2.JobState.Name(state)}")


def judge(sending: Sending, notes: Sequence[Note], collection: str, postgres: Postgres) -> list[str]:
    """What is lost, or there twice, by the tables themselves."""
    keys = {note.key for note in notes}
    of = f"WHERE collection = '{collection}'"
    documents = {
        key: int(number) for key, number in postgres.ask(f"SELECT document_key, number FROM rag_server.document {of}")
    }
    faults = [f"{key}: lost" for key in keys - documents.keys()]
    faults += [f"{key}: nobody sent it" for key in documents.keys() - keys]
    faults += [f"{key}: version {number}" for key, number in documents.items() if number != 1]
    for what, table, where in (
        ("jobs", "job", of), ("versions", "version", f"{of} AND state = 'CURRENT'"),
        ("entries of the change log", "change", of),
    ):  # fmt: skip
        ((number,),) = postgres.ask(f"SELECT count(*) FROM rag_server.{table} {where}")
        if int(number) != len(notes):
            faults.append(f"{number} {what} for {len(notes)} documents")
    if len(set(sending.jobs.values())) != len(sending.jobs):
        faults.append("two documents have one job")
    return faults


def not_found_once(serve: str, notes: Sequence[Note], collection: str) -> list[str]:
    """The notes that this replica does not find exactly once."""
    faults = []
    with grpc.insecure_channel(serve, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = SearchServiceStub(channel)
        for note in notes:
            request = search_service_pb2.SearchRequest(
                query=note.word, collection=collection, limit=50, mode=search_service_pb2.SEARCH_MODE_LEXICAL
            )
            hits = stub.Search(request, timeout=CALL_S, wait_for_ready=True).hits
            places = sum(note.word in hit.text for hit in hits)
            faults += [] if places == 1 else [f"{note.key}: found {places} times by {serve}"]
    return faults


def _parts(note: Note, collection: str, request_id: str) -> Iterator[ingest_service_pb2.IngestRequest]:
    header = ingest_service_pb2.IngestHeader(
        collection=collection, document_key=note.key, file_name=note.key, request_id=request_id
    )
    yield ingest_service_pb2.IngestRequest(header=header)
    yield ingest_service_pb2.IngestRequest(piece=note.content)
    sha256 = hashlib.sha256(note.content).hexdigest()
    yield ingest_service_pb2.IngestRequest(
        end=ingest_service_pb2.IngestEnd(size_bytes=len(note.content), sha256=sha256)
    )
