"""Search in very many vectors: `python -m bench.scale --rows N`. Exit status 1 where a budget was missed.

A store is filled at its door, serve and work run over it as they are, and what is found is held against exact search.
"""

import os

# Before faiss is loaded, as serve does it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from acervo.rag.v1 import job_pb2
from bench.figures import Budget, Figure, as_json, print_table
from bench.scale_programs import Programs, anonymous_bytes, mapped_bytes
from bench.scale_store import Passages, batches, fill, number_of
from bench.schedule import run_schedule
from bench.waiting import until

MANY, FEWER = "many", "fewer"
FEWER_ROWS = 100_000
QUERIES = 200
LEVEL_S = 3_600.0
SEARCH_S = 20.0
MIB = 1 << 20
MIN_MORE_ROWS = 70_000  # enough for another segment
DEPTH = 10


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale")
    parser.add_argument("--rows", type=int, required=True)
    rows = parser.parse_args().rows
    given = os.environ.get("ACERVO_TEST_DATA", "")
    passages = Passages(Path(given).absolute() if given else None, QUERIES)
    with tempfile.TemporaryDirectory(prefix="acervo-scale-") as folder:
        figures = _measure(Path(folder) / "data", passages, rows)
    print_table({"bundled": figures})
    print(as_json({"bundled": figures}, [], os.getloadavg()[0]))
    return 0 if all(figure.met is not False for figure in figures) else 1


def _measure(folder: Path, passages: Passages, rows: int) -> list[Figure]:
    programs = Programs(folder)
    _timed("filled", lambda: fill(folder, FEWER, passages, range(FEWER_ROWS)))
    _timed("filled", lambda: fill(folder, MANY, passages, range(rows)))
    truth = _nearest(passages, rows)
    with programs.running("serve"):
        _timed("level", lambda: programs.wait_until_level(LEVEL_S))
        with programs.running("work"):
            _timed("built", lambda: _wait_for_builds(programs, 2))
        programs.wait_until_level(LEVEL_S)
        _tell(programs.index())
    begun_s = time.perf_counter()
    with programs.running("serve") as serve:
        until(lambda: _answer(programs, passages.queries[0]), 60.0, "the first search")
        figures = [Figure("scale_start_s", "start of serve to the first search, warm", _since(begun_s), "s", Budget(5))]
        programs.wait_until_level(LEVEL_S)
        figures += _searches(programs, passages, truth)
        figures += _memory(programs, serve, passages.dimensions, rows + FEWER_ROWS)
        figures += _meanwhile(programs, folder, passages, rows)
        _tell(programs.index())
    return figures


def _searches(programs: Programs, passages: Passages, truth: NDArray[np.int64]) -> list[Figure]:
    seconds: dict[str, list[float]] = {MANY: [], FEWER: []}
    hits = 0
    for _ in range(2):  # the first round finds caches cold
        seconds = {MANY: [], FEWER: []}
        hits = 0
        for query, right in zip(passages.queries, truth, strict=True):
            for collection, taken in seconds.items():
                begun_s = time.perf_counter()
                found = programs.search(query, collection)
                taken.append(_since(begun_s))
                if collection == MANY:
                    hits += len({number_of(text) for text in found} & set(right.tolist()))
    p50 = {name: statistics.median(each) * 1_000 for name, each in seconds.items()}
    return [
        Figure("scale_recall", "recall@10 against exact search", hits / truth.size, "", Budget(0.95, at_least=True)),
        Figure("scale_p50_ms", "search by meaning p50, many", p50[MANY], "ms"),
        Figure("scale_p50_100k_ms", "search by meaning p50, 100,000", p50[FEWER], "ms"),
        Figure("scale_p50_ratio", "many ÷ 100,000", p50[MANY] / p50[FEWER], "", Budget(3)),
    ]


def _memory(programs: Programs, serve: psutil.Process, dimensions: int, rows: int) -> list[Figure]:
    """Files, masks and centroids as the server publishes them, against a byte a number; then what can be seen."""
    child = next(iter(serve.children(recursive=True)), serve)  # the leash starts it
    published = programs.vector_index(MANY).bytes_per_vector
    return [
        Figure("scale_vector_bytes", "memory for vectors and their ids, per vector", published, "B"),
        Figure("scale_memory_ratio", "the same ÷ compressed vector", published / dimensions, "", Budget(1.3)),
        Figure("scale_mapped_bytes", "mapped files that are in memory, per vector", mapped_bytes(child) / rows, "B"),
        Figure("scale_anonymous_mib", "other memory of serve (words, filters …)", anonymous_bytes(child) / MIB, "MiB"),
    ]


def _meanwhile(programs: Programs, folder: Path, passages: Passages, rows: int) -> list[Figure]:
    """Ten searches a second while a further segment is built and taken over, and before."""
    more = max(MIN_MORE_ROWS, rows // 5)
    _timed("more", lambda: fill(folder, MANY, passages, range(rows, rows + more)))
    _timed("level", lambda: programs.wait_until_level(LEVEL_S))
    search = {"serve": lambda query, collection: len(programs.search(query, collection))}
    run_schedule(search, MANY, lambda elapsed_s: elapsed_s > 1, 1)
    idle = run_schedule(search, MANY, lambda elapsed_s: elapsed_s > SEARCH_S, 2)["serve"]
    built = len(_succeeded(programs))
    ends: list[float] = []

    def over(elapsed_s: float) -> bool:
        if not ends and len(_succeeded(programs)) > built:
            ends.append(elapsed_s)
        return bool(ends) and elapsed_s > ends[0] + 2

    with programs.running("work"):
        busy = run_schedule(search, MANY, over, 2)["serve"]
    failures = idle.failures + busy.failures
    return [
        Figure("scale_idle_p95_ms", "search p95 at 10/s, idle", idle.p95_ms, "ms"),
        Figure("scale_build_p95_ms", f"while {more:,} vectors become a segment", busy.p95_ms, "ms"),
        Figure("scale_build_ratio", "meanwhile ÷ idle", busy.p95_ms / idle.p95_ms, "", Budget(2)),
        Figure("scale_failures", "searches that failed", failures, "", Budget(0)),
    ]


def _nearest(passages: Passages, rows: int) -> NDArray[np.int64]:
    """(q, 10): what exact search finds."""
    best = np.full((len(passages.queries), DEPTH), -np.inf, np.float32)
    numbers = np.zeros_like(best, np.int64)
    for first, count in batches(range(rows)):
        scores = passages.query_vectors @ passages.vectors(first, count).T
        both = np.concatenate([best, scores], axis=1)
        these = np.broadcast_to(np.arange(first, first + count), scores.shape)
        which = np.concatenate([numbers, these], axis=1)
        order = np.argpartition(-both, DEPTH, axis=1)[:, :DEPTH]
        best, numbers = np.take_along_axis(both, order, 1), np.take_along_axis(which, order, 1)
    return numbers


def _wait_for_builds(programs: Programs, count: int) -> None:
    until(lambda: len(_succeeded(programs)) >= count, LEVEL_S, "segments are built", 1.0)


def _succeeded(programs: Programs) -> list[job_pb2.Job]:
    return [job for job in programs.builds() if job.state == job_pb2.JOB_STATE_SUCCEEDED and job.sequence]


def _answer(programs: Programs, query: str) -> list[str]:
    return programs.search(query, MANY)


def _timed(what: str, step: Callable[[], None]) -> None:
    begun_s = time.perf_counter()
    step()
    _tell(f"{what}: {_since(begun_s):.1f} s")


def _since(begun_s: float) -> float:
    return time.perf_counter() - begun_s


def _tell(what: str) -> None:
    print(what, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
