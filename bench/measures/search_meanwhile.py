"""Whether searches notice that large documents come in."""

from bench.figures import Budget, Figure
from bench.pdf import text_pdf
from bench.schedule import Latencies, run_schedule, search_at
from bench.subject import Subject

COLLECTION = "meanwhile"
PAGES_BUNDLED = 400
PAGES_TRANSFORMER = 60
FILES = 40  # more than can be taken in meanwhile; those that are left are cancelled
LENGTH_S = 20.0
MOST = 2.0
MOST_MS = 500.0


def measure(subject: Subject) -> list[Figure]:
    """Ten searches a second to serve and as many through Envoy, first idle, then with the worker busy."""
    pages = PAGES_BUNDLED if subject.is_bundled else PAGES_TRANSFORMER
    subject.client.take_in("standing.pdf", text_pdf(20, pages), COLLECTION, 300.0)
    searches = {"serve": search_at(subject.stack.rag_server), "edge": search_at(subject.stack.edge)}
    run_schedule(searches, COLLECTION, lambda elapsed_s: elapsed_s > 1, 1)  # warm
    idle = run_schedule(searches, COLLECTION, lambda elapsed_s: elapsed_s > LENGTH_S, 2)
    files = {f"busy-{number}.pdf": text_pdf(100 + number, pages) for number in range(FILES)}
    with subject.busy(files, COLLECTION):
        busy = run_schedule(searches, COLLECTION, lambda elapsed_s: elapsed_s > LENGTH_S, 3)
    failures = sum(latencies.failures for latencies in (*idle.values(), *busy.values()))
    return [
        *_compared("serve", "search p95", idle["serve"], busy["serve"]),
        *_compared("edge", "search through Envoy p95", idle["edge"], busy["edge"]),
        Figure("search_failures", "searches that failed meanwhile", failures, "", Budget(0)),
    ]


def _compared(way: str, title: str, idle: Latencies, busy: Latencies) -> list[Figure]:
    ratio = busy.p95_ms / idle.p95_ms
    return [
        Figure(f"search_{way}_idle_p95_ms", f"{title}, idle", idle.p95_ms, "ms"),
        Figure(f"search_{way}_busy_p95_ms", f"{title}, while ingesting", busy.p95_ms, "ms", Budget(MOST_MS)),
        Figure(f"search_{way}_busy_over_idle", f"{title}, while ingesting ÷ idle", ratio, "", Budget(MOST)),
    ]
