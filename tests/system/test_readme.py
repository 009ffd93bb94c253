"""The examples of the README do what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.client import Client
from bench.stack import ROOT, Stack

BLOCK = re.compile(r"<!-- tested: (?P<name>[\w-]+) -->\n```(?P<language>\w+)\n(?P<text>.*?)\n```", re.DOTALL)
README = (ROOT / "README.md").read_text()
BLOCKS = {match["name"]: match for match in BLOCK.finditer(README)}
BIN = Path(sys.executable).parent
EXPECTED = {
    "curl": '"hits"',
    "grpc": '"hits"',
    "python": "observatory-handbook.md, page 1 [",
    "cli": "observatory-handbook.md",
}


def test_every_marked_example_is_known() -> None:
    assert README.count("<!-- tested:") == len(BLOCKS)
    assert BLOCKS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs(name: str, stack: Stack, client: Client) -> None:
    handbook = ROOT / "samples" / "observatory-handbook.md"
    client.take_in(handbook.name, handbook.read_bytes(), "readme")
    done = run(name, stack)
    assert done.returncode == 0, done.stderr
    assert EXPECTED[name] in done.stdout
    assert '"code":' not in done.stdout


def run(name: str, stack: Stack) -> "subprocess.CompletedProcess[str]":
    block = BLOCKS[name]
    text = block["text"].replace("127.0.0.1:8080", stack.edge).replace(".venv/bin/", f"{BIN}{os.sep}")
    command = [sys.executable, "-c", text] if block["language"] == "python" else ["sh", "-eu", "-c", text]
    environment = {**stack.client_environment, "no_proxy": "*"}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
