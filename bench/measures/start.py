"""From `acervo up` on a folder that holds documents to the first search that finds one."""

import time

from bench.figures import Budget, Figure, middle
from bench.prose import prose
from bench.subject import Subject
from bench.waiting import until

COLLECTION = "start"
TIMES = 2
MOST_S = 5.0


def measure(subject: Subject) -> list[Figure]:
    """The middle of a few restarts."""
    subject.client.take_in("start.txt", prose(15, 500).encode(), COLLECTION)
    seconds = [_restart(subject) for _ in range(TIMES)]
    return [Figure("up_to_search_s", "`up` to the first search, warm", middle(seconds), "s", Budget(MOST_S))]


def _restart(subject: Subject) -> float:
    subject.stack.stop()
    begun_s = time.perf_counter()
    subject.stack.start()
    until(lambda: subject.client.search("edital archive", COLLECTION), 30.0, "the first search")
    return time.perf_counter() - begun_s
