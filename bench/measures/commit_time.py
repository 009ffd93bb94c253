"""How long a commit of the worker takes while its own embedding threads and 64 searching clients want the cores."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench.figures import Figure
from bench.pdf import text_pdf
from bench.prose import queries
from bench.schedule import search_at
from bench.stack import ROOT, clean_environment
from bench.subject import Subject

COLLECTION = "commit"
CLIENTS = 64
LENGTH_S = 8
PAGES = 60


def measure(subject: Subject) -> list[Figure]:
    """A process built as the worker is: one thread commits, the embedder's run at low priority."""
    subject.client.take_in("commit.pdf", text_pdf(17, PAGES), COLLECTION, 300.0)
    quiet = _probe(subject, embeds=False)
    with _searching_clients(subject):
        loaded = _probe(subject, embeds=True)
    return [
        Figure("commit_quiet_p50_ms", "commit of 100 chunks, nothing else running, p50", quiet["p50_ms"], "ms"),
        Figure("commit_loaded_p50_ms", "commit while embedding and 64 clients search, p50", loaded["p50_ms"], "ms"),
        Figure("commit_loaded_p99_ms", "commit while embedding and 64 clients search, p99", loaded["p99_ms"], "ms"),
    ]


def _probe(subject: Subject, *, embeds: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=subject.stack.data.parent) as folder:
        command = [sys.executable, "-m", "bench.commit_probe", folder, subject.model, str(LENGTH_S), str(int(embeds))]
        done = subprocess.run(
            command, check=True, cwd=ROOT, env=clean_environment({}), stdout=subprocess.PIPE, text=True
        )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


@contextmanager
def _searching_clients(subject: Subject) -> Iterator[None]:
    over = threading.Event()
    search = search_at(subject.stack.rag_server)

    def ask(seed: int) -> None:
        asked = queries(seed, 50)
        turn = 0
        while not over.is_set():
            search(asked[turn % len(asked)], COLLECTION)
            turn += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask, seed) for seed in range(CLIENTS)]
        try:
            yield
        finally:
            over.set()
    for one in asking:
        one.result()
