"""What gRPC and the server add to a search."""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.figures import Budget, Figure, middle
from bench.measures.plain_search import searching_here
from bench.pdf import text_pdf
from bench.prose import queries
from bench.schedule import search_at
from bench.subject import Subject
from rag_server.domain.search import Query

COLLECTION = "search-cost"
PAGES_BUNDLED = 400
PAGES_TRANSFORMER = 60
WARM = 50
COUNTED = 400
MOST = 2.0


def measure(subject: Subject) -> list[Figure]:
    """The same queries in turn by both ways, so that both see the same machine."""
    pages = PAGES_BUNDLED if subject.is_bundled else PAGES_TRANSFORMER
    subject.client.take_in("cost.pdf", text_pdf(13, pages), COLLECTION, 300.0)
    with tempfile.TemporaryDirectory() as scratch:
        plain, wire = _take_turns(subject, Path(scratch))
    return [
        Figure("search_plain_p50_ms", "search as plain function calls, p50", middle(plain) * 1_000, "ms"),
        Figure("search_grpc_p50_ms", "the same over gRPC, p50", middle(wire) * 1_000, "ms"),
        Figure("search_grpc_over_plain", "gRPC ÷ plain", middle(wire) / middle(plain), "", Budget(MOST)),
    ]


def _take_turns(subject: Subject, scratch: Path) -> tuple[list[float], list[float]]:
    plain: list[float] = []
    wire: list[float] = []
    remote = search_at(subject.stack.rag_server)
    with searching_here(subject.stack.data, subject.model, scratch) as searching, asyncio.Runner() as runner:
        for turn, text in enumerate(queries(14, WARM + COUNTED)):
            begun_s = time.perf_counter()
            answer = runner.run(searching.search(Query(text, COLLECTION, 10)))
            between_s = time.perf_counter()
            hits = remote(text, COLLECTION)
            ended_s = time.perf_counter()
            if hits != len(answer.hits):
                raise AssertionError(f"{hits} hits over the wire, {len(answer.hits)} here")
            if turn >= WARM:
                plain.append(between_s - begun_s)
                wire.append(ended_s - between_s)
    return plain, wire
