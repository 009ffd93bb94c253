"""The same document again: unchanged, changed, deleted, and what was asked last wins."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psutil

from bench.client import Client
from bench.stack import Stack
from bench.waiting import until
from tests.system import documents

NAME = "norma.txt"


def test_the_same_file_again_is_unchanged(client: Client, collection: str) -> None:
    content = documents.text(documents.new_word())
    first = client.take_in(NAME, content, collection)
    second = client.take_in(NAME, content, collection)
    assert (first["outcome"], second["outcome"]) == ("INGEST_OUTCOME_CREATED", "INGEST_OUTCOME_UNCHANGED")
    assert (second["document"], second["document_version"]) == (first["document"], 1)
    assert len(client.documents(collection)) == 1


def test_changed_bytes_are_a_new_version_and_the_old_text_is_found_no_more(client: Client, collection: str) -> None:
    old, new = documents.new_word(), documents.new_word()
    first = client.take_in(NAME, documents.text(old), collection)
    second = client.take_in(NAME, documents.text(new), collection)
    assert (second["outcome"], second["document_version"]) == ("INGEST_OUTCOME_UPDATED", 2)
    assert second["document"] == first["document"]
    assert client.passages_with(old, collection) == []
    assert len(client.passages_with(new, collection)) == 1


def test_the_same_bytes_under_another_key_are_another_document(client: Client, collection: str) -> None:
    word = documents.new_word()
    first = client.take_in("a.txt", documents.text(word), collection)
    second = client.take_in("b.txt", documents.text(word), collection)
    assert first["document"] != second["document"]
    assert {hit["file_name"] for hit in client.passages_with(word, collection)} == {"a.txt", "b.txt"}


def test_a_deleted_document_is_found_no_more_at_once(client: Client, collection: str) -> None:
    word = documents.new_word()
    job = client.take_in(NAME, documents.text(word), collection)
    assert len(client.passages_with(word, collection)) == 1
    delete(client, job["document"])
    assert client.passages_with(word, collection) == []
    assert client.documents(collection) == []


def test_a_deleted_document_can_be_taken_in_again(client: Client, collection: str) -> None:
    word = documents.new_word()
    job = client.take_in(NAME, documents.text(word), collection)
    delete(client, job["document"])
    again = client.take_in(NAME, documents.text(word), collection)
    assert again["outcome"] == "INGEST_OUTCOME_CREATED"
    assert len(client.passages_with(word, collection)) == 1


def test_a_delete_after_a_queued_version_wins(stack: Stack, client: Client, collection: str) -> None:
    old, new = documents.new_word(), documents.new_word()
    document = client.take_in(NAME, documents.text(old), collection)["document"]
    with paused(stack, "work"):
        (queued,) = client.upload({NAME: documents.text(new)}, collection)
        delete(client, document)
    assert client.wait(queued)["state"] == "JOB_STATE_CANCELLED"
    assert client.documents(collection) == []
    assert client.passages_with(old, collection) + client.passages_with(new, collection) == []


def test_a_version_after_a_delete_wins(stack: Stack, client: Client, collection: str) -> None:
    old, new = documents.new_word(), documents.new_word()
    document = client.take_in(NAME, documents.text(old), collection)["document"]
    with paused(stack, "work"):
        delete(client, document)
        (queued,) = client.upload({NAME: documents.text(new)}, collection)
    assert client.wait(queued)["state"] == "JOB_STATE_SUCCEEDED"
    assert client.passages_with(old, collection) == []
    assert len(client.passages_with(new, collection)) == 1


def test_of_two_queued_versions_the_later_stands(stack: Stack, client: Client, collection: str) -> None:
    words = [documents.new_word() for _ in range(3)]
    with paused(stack, "work"):
        jobs = [job for word in words for job in client.upload({NAME: documents.text(word)}, collection)]
    for job in jobs:
        client.wait(job)
    assert [len(client.passages_with(word, collection)) for word in words] == [0, 0, 1]


def delete(client: Client, document: str) -> None:
    client.http.delete(f"/api/v1/rag/{document}").raise_for_status()


@contextmanager
def paused(stack: Stack, program: str) -> Iterator[None]:
    """The program stands still for the length of the block, in all replicas."""
    pids = until(lambda: stack.pids(program), 10, f"{program} runs")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for pid in pids:
            is_still = partial(_stands_still, pid)
            until(is_still, 10, f"{program} stands still")
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
