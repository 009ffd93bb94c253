"""The real documents, where ACERVO_TEST_DATA says where they are."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.client import Client
from bench.memory import PeakMemory
from bench.stack import Stack

DATA = os.environ.get("ACERVO_TEST_DATA", "")
GOOD = Path(DATA) / "data" / "docs" / "good"
ENDED = {"SUCCEEDED", "SUCCEEDED_PARTIALLY", "FAILED"}
LEAST_SUCCEEDED = 55
GIB = 1 << 30

pytestmark = [
    pytest.mark.skipif(not DATA, reason="ACERVO_TEST_DATA is not set"),
    pytest.mark.timeout(400),
]


def test_every_file_ends_in_a_true_state_and_is_unchanged_the_second_time(own_stack: Stack, own_client: Client) -> None:
    files = sorted(str(path) for path in GOOD.iterdir() if path.is_file() and path.name != "MANIFEST.jsonl")
    with PeakMemory(own_stack.processes) as peak, ThreadPoolExecutor(1) as pool:
        ingesting = pool.submit(ingest, own_stack, files)
        searches = 0
        while not ingesting.done():
            own_client.search("direitos fundamentais", "default")  # answered all the time
            searches += 1
        first = ingesting.result()
    assert searches > 10
    assert len(first) == len(files) == 64
    assert {line["state"] for line in first.values()} <= ENDED
    assert all(line["reason"] and line["message"] for line in first.values() if line["state"] == "FAILED")
    succeeded = [file for file, line in first.items() if line["state"] != "FAILED"]
    assert len(succeeded) >= LEAST_SUCCEEDED, json.dumps([line for line in first.values() if line["state"] == "FAILED"])
    assert max(peak.peaks().values()) < GIB
    second = ingest(own_stack, succeeded)
    assert [file for file, line in second.items() if not line["unchanged"]] == []
    assert own_stack.verify()["ok"]


def ingest(stack: Stack, files: list[str]) -> dict[str, dict[str, Any]]:
    done = stack.acervo("ingest", *files, "--json", deadline_s=350.0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["file"]: line for line in lines}
