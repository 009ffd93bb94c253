"""Operators see how files are read and how jobs end, through the edge and with the command."""

import json
import subprocess
import sys

from bench.client import Client
from bench.stack import ROOT, Stack
from bench.waiting import until
from tests.system import documents
from tests.system.curl import curl


def acervo(stack: Stack, *arguments: str) -> dict[str, list[dict[str, object]]]:
    command = [sys.executable, "-m", "cli", *arguments, "--json", "--server", stack.edge]
    done = subprocess.run(command, cwd=ROOT, env=stack.environment, check=True, capture_output=True, text=True)
    answer: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
    return answer


def test_the_isolation_of_the_extractor_is_part_of_the_health(stack: Stack) -> None:
    def detail() -> str | None:
        components = curl(f"{stack.url}/health/ready").json["components"]
        (told,) = [part["detail"] for part in components if part["name"] == "extractor"]
        return str(told) if "rlimits" in told else None

    told = until(detail, 30.0, "the worker has told the isolation")
    (part,) = [part for part in acervo(stack, "health")["components"] if part["name"] == "extractor"]
    assert part == {"name": "extractor", "condition": "OK", "detail": told}


def test_ends_are_counted_by_state_and_reason(stack: Stack, client: Client, collection: str) -> None:
    files = {"a.txt": documents.text(documents.new_word()), "b.pdf": b"", "c.bin": bytes(range(256)) * 8}
    before = counts(stack)
    jobs = [client.upload({name: content}, collection)[0] for name, content in files.items()]
    states = [client.wait(job)["state"] for job in jobs]
    assert states == ["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_FAILED"]
    after = counts(stack)
    expected = {("SUCCEEDED", ""), ("FAILED", "NO_TEXT"), ("FAILED", "UNSUPPORTED")}
    assert {kind for kind in expected if after[kind] > before.get(kind, 0)} == expected
    told = {(one["state"], one["reason"]) for one in acervo(stack, "jobs", "count")["counts"]}
    assert expected <= told


def counts(stack: Stack) -> dict[tuple[str, str], int]:
    told = curl(f"{stack.url}/api/v1/admin/counts").json["counts"]
    return {(one["state"].removeprefix("JOB_STATE_"), one["reason"]): int(one["count"]) for one in told}
