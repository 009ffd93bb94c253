"""With serve away, uploads go on: each is accepted, says QUEUED, and is ingested once when serve is back."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import grpc
import pytest
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import RetryInfo

from acervo.rag.v1 import search_service_pb2, search_service_pb2_grpc
from bench.client import Client
from bench.stack import Stack
from bench.waiting import until
from tests.system import documents

UPLOADS = 6
ANSWER_S = 30.0

pytestmark = pytest.mark.usefixtures("sound")


@contextmanager
def frozen(stack: Stack) -> Iterator[None]:
    """Serve is there and does not answer, nor does any replica of it."""
    stack.wait_for_pid("serve")
    pids = stack.pids("serve")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def killed(stack: Stack) -> Iterator[None]:
    """Serve is gone, and the launcher that would start it again stands still."""
    former = stack.wait_for_pid("serve")
    pids = stack.pids("serve")
    os.kill(stack.launcher_pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:
        os.kill(stack.launcher_pid, signal.SIGCONT)
    stack.wait_until_back("serve", former)


@pytest.mark.parametrize("away", [frozen, killed])
def test_uploads_are_accepted_while_serve_is_away_and_ingested_once_it_is_back(
    away: Callable[[Stack], AbstractContextManager[None]], own_stack: Stack, own_client: Client, collection: str
) -> None:
    words = [documents.new_word() for _ in range(UPLOADS)]
    with away(own_stack):
        jobs = [
            own_client.upload({f"ata-{number}.txt": documents.text(word)}, collection)[0]
            for number, word in enumerate(words)
        ]
        assert {own_client.job(job_id)["state"] for job_id in jobs} == {"JOB_STATE_QUEUED"}
        assert_search_says_when_to_come_back(own_stack, own_client)
    assert {own_client.wait(job_id)["state"] for job_id in jobs} == {"JOB_STATE_SUCCEEDED"}
    until(lambda: len(own_client.documents(collection)) == UPLOADS, ANSWER_S, "as many documents as uploads")
    assert [len(own_client.passages_with(word, collection)) for word in words] == [1] * UPLOADS


def assert_search_says_when_to_come_back(stack: Stack, client: Client) -> None:
    answer = client.http.get("/api/v1/search", params={"query": "manutenção"}, timeout=ANSWER_S)
    assert answer.status_code == 503
    assert answer.json()["code"] == 14
    assert int(answer.headers["retry-after"]) >= 1
    with grpc.insecure_channel(stack.edge, options=[("grpc.enable_http_proxy", 0)]) as channel:
        search = search_service_pb2_grpc.SearchServiceStub(channel).Search
        error = search.future(search_service_pb2.SearchRequest(query="manutenção"), timeout=ANSWER_S).exception()
    assert isinstance(error, grpc.RpcError)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    [packed] = [each.value for each in error.trailing_metadata() or () if each.key == "grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    retries = [detail for detail in status_pb2.Status.FromString(packed).details if detail.Is(RetryInfo.DESCRIPTOR)]
    assert len(retries) == 1
