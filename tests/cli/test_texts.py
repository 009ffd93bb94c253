"""Texts are sent in calls of bounded size, and each call's job is followed to its end."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from acervo.rag.v1 import job_pb2
from tests.cli.conftest import Run
from tests.cli.fake_acervo import FakeAcervo

Call = Callable[..., Run]


@pytest.fixture
def counted(acervo: FakeAcervo) -> FakeAcervo:
    counts = job_pb2.DocumentCounts(created=2, unchanged=1)
    acervo.endings[""] = job_pb2.Job(state=job_pb2.JOB_STATE_SUCCEEDED, documents=counts)
    return acervo


def lines(*texts: Mapping[str, object]) -> bytes:
    return b"".join(json.dumps(text).encode() + b"\n" for text in texts)


def test_texts_are_sent_with_all_that_is_told_of_them(call: Call, counted: FakeAcervo, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_bytes(lines({"key": "a", "text": "um", "title": "T", "metadata": {"n": 1}, "tags": ["x"]}) + b"\n")
    run = call("texts", str(file), "--collection", "notes")
    assert (run.status, run.out.strip()) == (0, "2 created, 1 unchanged")
    (request,) = counted.sent_texts
    assert (request.collection, request.texts[0].key, request.texts[0].metadata["n"]) == ("notes", "a", 1)
    assert request.request_id


def test_many_texts_go_in_several_calls_and_a_key_that_stands_again_in_a_later_one(
    call: Call, counted: FakeAcervo
) -> None:
    texts = lines(*({"key": str(number), "text": "x"} for number in range(1001)), {"key": "1000", "text": "y"})
    run = call("texts", "-", "--json", stdin=texts)
    assert [len(request.texts) for request in counted.sent_texts] == [1000, 1, 1]
    assert [line["documents"]["created"] for line in run.lines] == [2, 2, 2]


def test_a_line_that_is_no_text_is_named(call: Call) -> None:
    run = call("texts", "-", stdin=lines({"key": "a", "text": "x"}, {"id": 1}))
    assert (run.status, "line 2" in run.err) == (1, True)


def test_texts_that_were_left_out_are_told(call: Call, acervo: FakeAcervo) -> None:
    warning = job_pb2.JobWarning(reason="NO_TEXT", message="1 of the 2 texts have no words.")
    acervo.endings[""] = job_pb2.Job(state=job_pb2.JOB_STATE_SUCCEEDED_PARTIALLY, warnings=[warning])
    run = call("texts", "-", stdin=lines({"key": "a", "text": " "}))
    assert (run.status, "1 of the 2 texts" in run.err) == (1, True)
