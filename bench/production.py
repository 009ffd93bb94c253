"""The profiles side by side: `python -m bench --profile production`, or `make bench PROFILE=production`.

The same documents, texts and searches for the embedded profile, for PostgreSQL with the vectors in FAISS, and for
PostgreSQL with the vectors in pgvector.
"""

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from acervo.gateway.v1 import text_service_pb2
from acervo.gateway.v1.text_service_pb2_grpc import TextServiceStub
from acervo.rag.v1 import search_service_pb2
from acervo.rag.v1.search_service_pb2_grpc import SearchServiceStub
from bench.figures import Budget, Figure, percentile
from bench.many_small import Asking, Note, Sending
from bench.prose import prose, queries
from bench.replicas import deployment
from bench.stack import running
from bench.waiting import until
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve

COLLECTION = "side-by-side"
DOCUMENTS = 200
TEXTS = 25_000  # more than pgvector compares one by one; FAISS does up to 65,536
TEXTS_PER_CALL = 500
TEXT_WORDS = 30  # one passage each
WARM = 50
COUNTED = 300
DEPTH = 10
CALL_S = 60.0
SETTLE_S = 300.0
SAME = 1e-5  # cosines that differ by no more are equal


@dataclass(frozen=True, slots=True)
class Place:
    """A stack that runs."""

    gateway: str
    serve: str
    settled: Callable[[], bool]  # whether the indexes are as they will be
    disk_bytes: Callable[[], int]  # of tables and indexes, without the files that were uploaded


@dataclass(frozen=True, slots=True)
class Load:
    """What every stack is given, and what exact search finds."""

    texts: list[str]
    asked: list[str]
    vectors: NDArray[np.float32]  # (texts, d)
    query_vectors: NDArray[np.float32]  # (asked, d)

    def recall(self, number: int, found: list[str], of: dict[str, int]) -> float:
        """The share of the ten nearest that were found; equally near ones do as well."""
        scores = self.vectors @ self.query_vectors[number]
        tenth = np.partition(scores, -DEPTH)[-DEPTH]
        return float(sum(scores[of[text]] >= tenth - SAME for text in found if text in of)) / DEPTH


def main(texts: int = TEXTS, documents: int = DOCUMENTS) -> int:
    """Returns the exit status: 1 where something could not be measured."""
    load = _load(texts)
    figures: dict[str, list[Figure]] = {}
    failed = False
    for name, place in PLACES.items():
        with tempfile.TemporaryDirectory(prefix="acervo-bench-") as folder:
            begun_s = time.monotonic()
            try:
                with place(Path(folder)) as opened:
                    figures[name] = _measure(opened, load, documents)
            except Exception as error:  # noqa: BLE001 - the others are worth having all the same
                traceback.print_exc()
                print(f"not measured: {name}: {type(error).__name__}", file=sys.stderr)
                failed = True
            print(f"{name}: {time.monotonic() - begun_s:.0f} s", file=sys.stderr)
    _print(figures)
    return 1 if failed else 0


def _print(figures: dict[str, list[Figure]]) -> None:
    """A column for each of them."""
    table = Table("figure", *figures, "budget", title=f"Side by side, {os.cpu_count()} cores")
    for row in zip(*figures.values(), strict=True):
        budget = row[0].budget.text() if row[0].budget else ""
        table.add_row(row[0].title, *(f"{one.value:,.4g} {one.unit}" for one in row), budget)
    Console(width=140).print(table)


def _load(count: int) -> Load:
    texts = [
        f"{' '.join(prose(number, TEXT_WORDS).split()[:TEXT_WORDS])} registro {number}." for number in range(count)
    ]
    asked = queries(77, WARM + COUNTED)
    embedder = FastembedEmbedder(resolve("bundled", Path()), 1)
    query_vectors = np.stack([embedder.embed_query(query) for query in asked])
    return Load(texts, asked, embedder.embed_passages(texts), query_vectors)


def _measure(place: Place, load: Load, documents: int) -> list[Figure]:
    asking = Asking([place.gateway])
    begun_s = time.perf_counter()
    sending = Sending(asking, [Note.number(number) for number in range(documents)], "notes")
    sending.wait()
    notes_s = time.perf_counter() - begun_s
    begun_s = time.perf_counter()
    _take_in(asking, load.texts)
    texts_s = time.perf_counter() - begun_s
    until(place.settled, SETTLE_S, "the indexes are there", 1.0)
    asking.close()
    if sending.faults:
        raise AssertionError(sending.faults[0])
    hybrid, _ = _search(place, load, search_service_pb2.SEARCH_MODE_HYBRID)
    dense, recall = _search(place, load, search_service_pb2.SEARCH_MODE_DENSE)
    chunks = len(load.texts) + documents
    return [
        Figure("notes_per_s", "small documents taken in, each a job", documents / notes_s, "/s"),
        Figure("texts_per_s", f"texts taken in, {TEXTS_PER_CALL} a job", len(load.texts) / texts_s, "/s"),
        Figure("hybrid_p50_ms", "search p50, hybrid", percentile(hybrid, 0.5) * 1_000, "ms"),
        Figure("hybrid_p95_ms", "search p95, hybrid", percentile(hybrid, 0.95) * 1_000, "ms"),
        Figure("dense_p50_ms", "search p50, by meaning", percentile(dense, 0.5) * 1_000, "ms"),
        Figure("dense_p95_ms", "search p95, by meaning", percentile(dense, 0.95) * 1_000, "ms"),
        Figure("recall", "recall@10 against exact search", recall, "", Budget(0.95, at_least=True)),
        Figure("chunk_bytes", "tables and indexes on the disk, per chunk", place.disk_bytes() / chunks, "B"),
    ]


def _take_in(asking: Asking, texts: list[str]) -> None:
    names = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        request = text_service_pb2.UpsertTextsRequest(collection=COLLECTION, request_id=f"texts-{start}")
        for number, text in enumerate(texts[start : start + TEXTS_PER_CALL], start=start):
            request.texts.add(key=f"text-{number}", text=text)
        names.append(asking.surely(partial(_upsert, request), "texts"))
    for name in names:
        asking.end_of(name)


def _upsert(request: text_service_pb2.UpsertTextsRequest, channel: grpc.Channel) -> str:
    return TextServiceStub(channel).UpsertTexts(request, timeout=CALL_S).job.name


def _search(place: Place, load: Load, mode: search_service_pb2.SearchMode.ValueType) -> tuple[list[float], float]:
    """Seconds of each search, over gRPC to serve, and the mean recall."""
    seconds, recalls = [], []
    of = {text: number for number, text in enumerate(load.texts)}
    with grpc.insecure_channel(place.serve, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = SearchServiceStub(channel)
        for number, query in enumerate(load.asked):
            request = search_service_pb2.SearchRequest(query=query, collection=COLLECTION, limit=DEPTH, mode=mode)
            begun_s = time.perf_counter()
            hits = stub.Search(request, timeout=CALL_S).hits
            seconds.append(time.perf_counter() - begun_s)
            recalls.append(load.recall(number, [hit.text for hit in hits], of))
    return seconds[WARM:], float(np.mean(recalls[WARM:]))


@contextmanager
def _embedded(folder: Path) -> Iterator[Place]:
    with running(folder / "data") as stack:
        data = stack.data
        yield Place(
            f"127.0.0.1:{stack.port_base + 1}",
            stack.rag_server,
            lambda: True,
            lambda: _size(data) - _size(data / "blobs"),
        )


@contextmanager
def _postgres(folder: Path, vectors: str) -> Iterator[Place]:
    with deployment(folder, 1, {"ACERVO_VECTORS": vectors}) as one:

        def disk_bytes() -> int:
            ((tables,),) = one.postgres.ask(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE relkind = 'r' AND nspname IN ('rag_server', 'gateway')"
            )
            return int(tables) + _size(folder / "cache")

        def settled() -> bool:
            ready = "SELECT count(*) FROM pg_index WHERE indisvalid AND pg_get_indexdef(indexrelid) LIKE '%hnsw%'"
            return vectors == "faiss" or one.postgres.ask(ready) != [["0"]]

        serve = one.replicas.serves[0]
        with grpc.insecure_channel(serve, options=[("grpc.enable_http_proxy", 0)]) as channel:
            until(lambda: _answers(channel), CALL_S, "the first answer")
        yield Place(one.replicas.gateways[0], serve, settled, disk_bytes)


PLACES: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "embedded": _embedded,
    "PostgreSQL, FAISS": partial(_postgres, vectors="faiss"),
    "pgvector": partial(_postgres, vectors="pgvector"),
}


def _answers(channel: grpc.Channel) -> bool:
    request = search_service_pb2.SearchRequest(query="edital", collection=COLLECTION)
    try:
        SearchServiceStub(channel).Search(request, timeout=CALL_S)
    except grpc.RpcError as error:
        return bool(error.code() == grpc.StatusCode.NOT_FOUND)
    return True


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
