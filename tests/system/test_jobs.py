"""Jobs that are cancelled, tried again, or fail: each ends in the state that is true of it."""

import httpx
import pytest

from bench.client import Client
from bench.pdf import text_pdf
from bench.stack import Stack
from bench.waiting import until
from tests.system import documents
from tests.system.test_versions import paused

DEADLINE_S = 60.0


def test_a_queued_job_that_is_cancelled_never_runs_and_can_be_tried_again(
    stack: Stack, client: Client, collection: str
) -> None:
    word = documents.new_word()
    with paused(stack, "work"):
        (job_id,) = client.upload({"ata.txt": documents.text(word)}, collection)
        until(lambda: int(client.job(job_id)["revision"]) > 0, DEADLINE_S, "the rag_server has the job")
        steer(client, job_id, "cancel").raise_for_status()
    assert client.wait(job_id)["state"] == "JOB_STATE_CANCELLED"
    assert client.job(job_id)["attempt"] == 0
    assert client.passages_with(word, collection) == []
    steer(client, job_id, "retry").raise_for_status()
    assert client.wait(job_id)["state"] == "JOB_STATE_SUCCEEDED"
    assert len(client.passages_with(word, collection)) == 1


def test_a_job_that_is_cancelled_on_its_way_to_the_rag_server_ends_cancelled(client: Client, collection: str) -> None:
    words = [documents.new_word() for _ in range(5)]
    for number, word in enumerate(words):
        (job_id,) = client.upload({f"livro-{number}.pdf": text_pdf(70 + number, 400, word)}, collection)
        steer(client, job_id, "cancel").raise_for_status()
        assert client.wait(job_id)["state"] == "JOB_STATE_CANCELLED"
    assert [client.passages_with(word, collection) for word in words] == [[]] * 5


def test_a_running_job_that_is_cancelled_leaves_nothing_to_find_and_can_be_tried_again(
    client: Client, collection: str
) -> None:
    word = documents.new_word()
    (job_id,) = client.upload({"livro.pdf": text_pdf(5, 500, word)}, collection)
    wait_until_running(client, job_id)
    steer(client, job_id, "cancel").raise_for_status()
    assert client.wait(job_id)["state"] == "JOB_STATE_CANCELLED"
    assert client.passages_with(word, collection) == []
    steer(client, job_id, "retry").raise_for_status()
    assert client.wait(job_id)["state"] == "JOB_STATE_SUCCEEDED"
    assert len(client.passages_with(word, collection)) == 1


def test_an_ended_job_cannot_be_cancelled(client: Client, collection: str) -> None:
    job = client.take_in("ata.txt", documents.text(documents.new_word()), collection)
    answer = steer(client, job["name"].removeprefix("jobs/"), "cancel")
    assert answer.status_code == 400
    assert answer.json()["details"][0]["reason"] == "JOB_ENDED"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("trancado.pdf", documents.locked_pdf(), "ENCRYPTED"),
        ("partido.pdf", b"%PDF-1.7\n" + b"\x00\x01 nada aqui" * 50, "CORRUPT"),
        ("vazio.txt", b"", "NO_TEXT"),
        ("programa.exe", b"MZ" + bytes(range(256)) * 8, "UNSUPPORTED"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_the_next_one_succeeds(
    name: str, content: bytes, reason: str, client: Client, collection: str
) -> None:
    word = documents.new_word()
    bad, good = client.upload({name: content, "ata.txt": documents.text(word)}, collection)
    job = client.wait(bad)
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["details"][0]["reason"] == reason
    assert job["error"]["message"].endswith(".")
    assert client.wait(good)["state"] == "JOB_STATE_SUCCEEDED"
    assert [hit["file_name"] for hit in client.passages_with(word, collection)] == ["ata.txt"]


def test_searches_are_answered_while_a_large_document_is_taken_in(client: Client, collection: str) -> None:
    word = documents.new_word()
    client.take_in("ata.txt", documents.text(word), collection)
    (job_id,) = client.upload({"livro.pdf": text_pdf(6, 300)}, collection)
    meanwhile = 0
    while client.job(job_id)["state"] in ("JOB_STATE_QUEUED", "JOB_STATE_RUNNING"):
        assert len(client.passages_with(word, collection)) == 1
        meanwhile += 1
    assert client.job(job_id)["state"] == "JOB_STATE_SUCCEEDED"
    assert meanwhile >= 10


def wait_until_running(client: Client, job_id: str) -> None:
    """Until the job has read some pages."""

    def reading() -> bool:
        job = client.job(job_id)
        return bool(job["state"] == "JOB_STATE_RUNNING" and job["progress"]["pages_done"])

    until(reading, DEADLINE_S, "some pages are read", 0.02)


def steer(client: Client, job_id: str, verb: str) -> httpx.Response:
    return client.http.post(f"/api/v1/rag/jobs/{job_id}:{verb}", json={})
