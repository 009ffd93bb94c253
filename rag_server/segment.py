"""Builds one compressed segment for `work`: `python -m rag_server.segment`.

Rows come on standard input, progress goes to standard output as lines of JSON. It knows no store, gives way to
everybody else, and dies with its parent.
"""

import os

# Before faiss is loaded: it has one core at the most.
os.environ["OMP_NUM_THREADS"] = "1"

import json
import sys
import time
from pathlib import Path
from typing import Any

from rag_server.adapters.faiss.block import document_key
from rag_server.adapters.faiss.segment_building import SegmentPlan, build_segment
from rag_server.adapters.linux.confinement import die_with
from rag_server.adapters.segment_process.builder import scratch_of
from rag_server.adapters.segment_process.frames import decode_rows

NICE = 15  # ingestion has 10
TOLD_EVERY_S = 0.2


def main() -> None:
    """Build what the first argument describes."""
    wanted: dict[str, Any] = json.loads(sys.argv[1])
    die_with(wanted["parent_pid"])
    os.nice(NICE)
    path, plan = Path(wanted["path"]), SegmentPlan(wanted["dimensions"], wanted["model"], wanted["expected_rows"])
    rows = decode_rows(sys.stdin.buffer, document_key)
    header = build_segment(rows, plan, path, scratch_of(path), Telling())
    _say(rows=header.rows)


class Telling:
    """Tells the progress, not too often."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def __call__(self, done: int, total: int) -> None:
        """So much is done."""
        now_s = time.monotonic()
        if now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            _say(done=done, total=total)


def _say(**fields: int) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
