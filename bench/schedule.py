"""Requests on a schedule: each has its time, whether or not those before it were answered."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from acervo.rag.v1 import search_service_pb2, search_service_pb2_grpc
from bench.figures import percentile
from bench.prose import queries
from bench.waiting import pause

PER_SECOND = 10
THREADS = 16
ANSWER_S = 20.0

Search = Callable[[str, str], int]  # takes query and collection; the number of hits


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from the time of each request in the schedule to its answer."""

    seconds: list[float]
    failures: int

    @property
    def p95_ms(self) -> float:
        """In milliseconds."""
        return percentile(self.seconds, 0.95) * 1_000


def search_at(address: str) -> Search:
    """A search over gRPC at `host:port`, on one channel that stays open."""
    channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
    stub = search_service_pb2_grpc.SearchServiceStub(channel)

    def search(query: str, collection: str) -> int:
        request = search_service_pb2.SearchRequest(query=query, collection=collection, limit=10)
        return len(stub.Search(request, timeout=ANSWER_S).hits)

    return search


def run_schedule(
    searches: dict[str, Search], collection: str, over: Callable[[float], bool], seed: int
) -> dict[str, Latencies]:
    """Ten searches a second by each of the ways until `over(elapsed_s)`; latencies by way.

    No query is asked twice, whatever the way: the server would remember it. Other seeds give other queries.
    """
    asked = {way: queries(1_000 * seed + number, 997) for number, way in enumerate(searches)}
    begun_s = time.perf_counter()
    latencies: dict[str, list[float]] = {way: [] for way in searches}
    failures = dict.fromkeys(searches, 0)

    def ask(way: str, query: str, due_s: float) -> None:
        try:
            searches[way](query, collection)
        except grpc.RpcError:
            failures[way] += 1
        latencies[way].append(time.perf_counter() - due_s)

    turn = 0
    with ThreadPoolExecutor(THREADS) as pool:
        while not over(time.perf_counter() - begun_s):
            due_s = begun_s + turn / PER_SECOND
            pause(due_s - time.perf_counter())
            for way in searches:
                pool.submit(ask, way, asked[way][turn % len(asked[way])], due_s)
            turn += 1
    return {way: Latencies(latencies[way], failures[way]) for way in searches}
