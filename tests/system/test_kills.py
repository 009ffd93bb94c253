"""`kill -9` of each program in the middle of an ingest: it comes back, and the document is found exactly once."""

import contextlib

import httpx
import pytest

from bench.client import Client
from bench.pdf import text_pdf
from bench.stack import PROGRAMS, Stack
from bench.waiting import until
from tests.system import documents
from tests.system.test_jobs import wait_until_running

PAGES = 500
DEADLINE_S = 60.0


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_program_comes_back_and_its_document_is_found_once(
    program: str, own_stack: Stack, own_client: Client, collection: str
) -> None:
    words = [documents.new_word() for _ in range(3)]
    content = text_pdf(PROGRAMS.index(program), PAGES, *words)
    (job_id,) = own_client.upload({"livro.pdf": content}, collection)
    wait_until_running(own_client, job_id)
    former = own_stack.kill(program)
    own_stack.wait_until_back(program, former)
    job = own_client.wait(job_id)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["progress"]["pages_done"] == PAGES
    until(lambda: answers(own_client), DEADLINE_S, "searches are answered")
    found = [own_client.passages_with(word, collection) for word in words]
    assert [[hit["document"] for hit in hits] for hits in found] == [[job["document"]]] * len(words)
    assert len(own_client.documents(collection)) == 1


def test_an_upload_that_was_answered_survives_the_gateway(
    own_stack: Stack, own_client: Client, collection: str
) -> None:
    word = documents.new_word()
    (job_id,) = own_client.upload({"ata.txt": documents.text(word)}, collection)
    own_stack.wait_until_back("gateway", own_stack.kill("gateway"))
    assert own_client.wait(job_id)["state"] == "JOB_STATE_SUCCEEDED"
    assert len(own_client.passages_with(word, collection)) == 1


def answers(client: Client) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        client.search("manutenção", "default")
        return True
    return False
