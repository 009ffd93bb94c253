"""Several replicas on one store: equal answers, and no search that fails whatever becomes of one of them."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import httpx
import pytest

from acervo.rag.v1 import job_pb2, job_service_pb2, search_service_pb2
from acervo.rag.v1.job_service_pb2_grpc import JobServiceStub
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from bench.client import Client
from bench.pdf import text_pdf
from bench.stack import Stack, running
from bench.waiting import until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.system import documents

SEARCHES_PER_S = 20
DEADLINE_S = 60.0
TEXTS = 60


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis_server: RedisServer
) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("replicas") / "data"
    database = postgres_server.new_database()
    places = {"ACERVO_STORE": postgres_server.url(database), "ACERVO_REDIS": redis_server.url}
    places |= {"ACERVO_BLOBS": str(data / "blobs")}
    with running(data, places, ("--replicas", "3", "--gateways", "2")) as stack:
        yield stack
    postgres_server.drop_database(database)


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client


@dataclass
class Traffic:
    """Searches at an even pace; what went wrong."""

    url: str
    word: str
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as http:
            due_s = time.monotonic()
            while not self._stop.wait(max(0.0, due_s - time.monotonic())):
                due_s += 1 / SEARCHES_PER_S
                self._search(http)

    def stop(self) -> None:
        self._stop.set()

    def _search(self, http: httpx.Client) -> None:
        try:
            answer = http.get("/api/v1/search", params={"query": self.word, "collection": "traffic"})
            found = answer.is_success and any(self.word in hit["text"] for hit in answer.json()["hits"])
            self.answered += 1
            if not found:
                self.failures.append(f"{answer.status_code} {answer.text[:200]}")
        except httpx.HTTPError as error:
            self.failures.append(repr(error))


@contextmanager
def traffic(stack: Stack, client: Client) -> Iterator[Traffic]:
    """Searches go on for the length of the block; not one may fail."""
    word = documents.new_word()
    client.take_in("procurado.txt", documents.text(word), "traffic")
    searches = Traffic(stack.url, word)
    thread = threading.Thread(target=searches.run)
    thread.start()
    try:
        until(lambda: searches.answered >= SEARCHES_PER_S, DEADLINE_S, "searches go on")
        yield searches
        enough = searches.answered + SEARCHES_PER_S
        until(lambda: searches.answered >= enough or bool(searches.failures), DEADLINE_S, "searches go on")
    finally:
        searches.stop()
        thread.join()
    assert searches.failures == []


def replicas(stack: Stack) -> list[str]:
    servers: dict[str, str] = stack.state()["servers"]
    return [address for name, address in servers.items() if name.startswith("serve-")]


@contextmanager
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as opened:
        yield opened


@contextmanager
def hanging(stack: Stack, program: str) -> Iterator[None]:
    """The program does nothing for the length of the block, and keeps its connections."""
    pid = stack.wait_for_pid(program)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def scale(stack: Stack, *arguments: str) -> None:
    done = stack.acervo(*arguments, "--local", str(stack.data))
    assert done.returncode == 0, done.stderr


def test_all_replicas_give_the_same_hits_at_the_same_sequence(stack: Stack, client: Client, collection: str) -> None:
    jobs = client.upload({f"{number}.txt": documents.text(documents.new_word()) for number in range(12)}, collection)
    sequence = max(int(client.wait(job)["sequence"]) for job in jobs)
    request = search_service_pb2.SearchRequest(
        query="texto de um documento", collection=collection, limit=50, min_sequence=sequence
    )
    answers = []
    for address in replicas(stack):
        with channel(address) as one:
            answer = SearchServiceStub(one).Search(request, timeout=30)
        assert answer.index_sequence >= sequence
        answers.append([(hit.document, hit.score, hit.text) for hit in answer.hits])
    assert len(answers) == 3
    assert answers[0]
    assert answers == [answers[0]] * 3


def test_a_job_is_told_by_every_replica_and_found_at_once_by_all(stack: Stack, client: Client, collection: str) -> None:
    word = documents.new_word()
    (job_id,) = client.upload({"a.txt": documents.text(word)}, collection)
    until(lambda: client.job(job_id)["revision"] != "0", DEADLINE_S, "the job is with the rag_servers")
    request = search_service_pb2.SearchRequest(query=word, collection=collection)
    for address in replicas(stack):
        with channel(address) as one:
            told = list(JobServiceStub(one).JobStatus(job_service_pb2.JobStatusRequest(name=f"jobs/{job_id}")))
        assert told[-1].job.state == job_pb2.JOB_STATE_SUCCEEDED
        for other in replicas(stack):
            with channel(other) as another:
                assert [
                    hit.text for hit in SearchServiceStub(another).Search(request, timeout=30).hits if word in hit.text
                ]


def test_every_job_runs_once_and_all_workers_have_a_share(stack: Stack, client: Client, collection: str) -> None:
    jobs = client.upload({f"{number}.pdf": text_pdf(number, 8) for number in range(TEXTS)}, collection)
    assert {client.wait(job)["state"] for job in jobs} == {"JOB_STATE_SUCCEEDED"}
    begun = [
        json.loads(line)["job"]
        for number in (1, 2, 3)
        for line in stack.log(f"work-{number}").splitlines()
        if '"job begins"' in line
    ]
    assert sorted(job for job in begun if job in jobs) == sorted(jobs)
    shares = [any(job in stack.log(f"work-{number}") for job in jobs) for number in (1, 2, 3)]
    assert shares == [True] * 3


def test_a_paused_queue_is_paused_everywhere(stack: Stack, client: Client, collection: str) -> None:
    assert json.loads(stack.acervo("queue", "pause", "--json").stdout)["paused"] is True
    try:
        jobs = client.upload({f"{number}.txt": documents.text(documents.new_word()) for number in range(6)}, collection)
        until(lambda: queue(client)["queued"] == str(len(jobs)), DEADLINE_S, "all wait in the queue")
        # Longer than any worker polls: each has asked, and got nothing.
        assert client.job(jobs[0], wait="2s")["state"] == "JOB_STATE_QUEUED"
        assert (queue(client)["paused"], queue(client)["running"]) == (True, "0")
    finally:
        answer = client.http.post("/api/v1/queue:resume", json={})
    assert answer.json()["queue"]["paused"] is False
    assert {client.wait(job)["state"] for job in jobs} == {"JOB_STATE_SUCCEEDED"}


def test_a_rolling_restart_fails_no_search(stack: Stack, client: Client) -> None:
    before = {name: program["pid"] for name, program in stack.state()["programs"].items()}
    with traffic(stack, client):
        scale(stack, "restart")
    after = {name: program["pid"] for name, program in stack.state()["programs"].items()}
    assert {name for name in before if before[name] == after[name]} == {"envoy"}


@pytest.mark.parametrize("program", ["serve-2", "gateway-2"])
def test_a_killed_replica_fails_no_search(program: str, stack: Stack, client: Client) -> None:
    with traffic(stack, client):
        stack.wait_until_back(program, stack.kill(program))


def test_a_replica_that_hangs_fails_no_job_and_no_search(stack: Stack, client: Client, collection: str) -> None:
    word = documents.new_word()
    with traffic(stack, client), hanging(stack, "serve-3"):
        client.take_in("a.txt", documents.text(word), collection)
        until(lambda: bool(client.passages_with(word, collection)), DEADLINE_S, "it is found")


def test_a_gateway_that_hangs_fails_no_search(stack: Stack, client: Client) -> None:
    with traffic(stack, client) as searches, hanging(stack, "gateway-2"):
        enough = searches.answered + 5 * SEARCHES_PER_S
        until(lambda: searches.answered >= enough or bool(searches.failures), DEADLINE_S, "searches go on")


def test_a_changed_count_loses_nothing_while_documents_come_in(stack: Stack, client: Client, collection: str) -> None:
    words = [documents.new_word() for _ in range(TEXTS)]
    with traffic(stack, client):
        jobs = [
            client.upload_surely(f"{number}.pdf", text_pdf(number, 8, word), collection)
            for number, word in enumerate(words)
        ]
        scale(stack, "scale", "1")
        assert len(replicas(stack)) == 1
        scale(stack, "scale", "3")
        assert {client.wait(job)["state"] for job in jobs} == {"JOB_STATE_SUCCEEDED"}
    found = [{hit["document"] for hit in client.passages_with(word, collection)} for word in words]
    assert [len(one) for one in found] == [1] * TEXTS
    assert len(client.documents(collection)) == TEXTS
    answer = stack.verify()
    assert answer["ok"], json.dumps(answer, indent=1)


def queue(client: Client) -> dict[str, object]:
    answer: dict[str, object] = client.http.get("/api/v1/queue").json()["queue"]
    return answer
