"""One upload can be followed through the logs of all programs, and nobody's words stand in them."""

import json
import uuid
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.stack import Stack, program_of
from bench.waiting import until
from tests.system import documents

FLUSHED_S = 20.0  # Envoy keeps lines for half a second


def test_the_request_and_trace_of_an_upload_stand_in_every_log(stack: Stack, client: Client, collection: str) -> None:
    request_id, trace_id = str(uuid.uuid4()), uuid.uuid4().hex
    headers = {"x-request-id": request_id, "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    files = {"file": ("ata.txt", documents.text(documents.new_word()))}
    answer = client.http.post("/api/v1/rag/upload", params={"collection": collection}, files=files, headers=headers)
    assert answer.headers["x-request-id"] == request_id
    client.wait(answer.json()["job_id"])
    for program in ("gateway", "serve", "work"):
        lines = told_of(stack, program, request_id)
        assert {line["trace_id"] for line in lines} == {trace_id}
    (edge,) = told_of(stack, "envoy", request_id)
    assert trace_id in edge["traceparent"]


def test_no_word_of_a_document_or_a_query_stands_in_any_log(stack: Stack, client: Client, collection: str) -> None:
    of_text, of_query = documents.new_word(), documents.new_word()
    client.take_in("ata.txt", documents.text(of_text), collection)
    request_id = str(uuid.uuid4())
    wanted = {"query": f"{of_query} {of_text}", "collection": collection}
    client.http.get("/api/v1/search", params=wanted, headers={"x-request-id": request_id}).raise_for_status()
    client.http.post("/api/v1/search", json=wanted).raise_for_status()
    client.http.get("/api/v1/search", params={**wanted, "limit": 9_999})  # a refusal quotes nothing either
    told_of(stack, "envoy", request_id)
    logs = list((stack.data / "logs").iterdir())
    assert {program_of(log.stem) for log in logs} >= {"gateway", "serve", "work", "envoy"}
    assert [log.name for log in logs if holds(log, of_text) or holds(log, of_query)] == []


def told_of(stack: Stack, program: str, request_id: str) -> list[dict[str, Any]]:
    """The log lines of a request, as soon as there are any."""

    def lines() -> list[dict[str, Any]] | None:
        return [json.loads(line) for line in stack.log(program).splitlines() if request_id in line] or None

    return until(lines, FLUSHED_S, f"a line of {program}")


def holds(log: Path, word: str) -> bool:
    return word.encode() in log.read_bytes()
