"""Whether searches notice that a thousand small documents come in, each of which changes the indexes."""

import threading

import psutil

from bench.figures import Budget, Figure
from bench.prose import prose
from bench.schedule import run_schedule, search_at
from bench.subject import Subject

COLLECTION = "small"
DOCUMENTS = 1_000
PER_FORM = 50
WORDS = 120
IDLE_S = 10.0
LONGEST_S = 90.0
MOST = 2.0
PROGRAMS = ("serve", "gateway", "work")


def measure(subject: Subject) -> list[Figure]:
    """Ten searches a second, first idle, then until all documents are found or the time is over."""
    forms = [
        {f"note-{number}.txt": prose(1_000 + number, WORDS).encode() for number in range(start, start + PER_FORM)}
        for start in range(0, DOCUMENTS, PER_FORM)
    ]
    first, *others = forms
    _take_in(subject, [first])
    searches = {"serve": search_at(subject.stack.rag_server)}
    idle = run_schedule(searches, COLLECTION, lambda elapsed_s: elapsed_s > IDLE_S, 4)["serve"]
    done = threading.Event()
    length_s = LONGEST_S

    def over(elapsed_s: float) -> bool:
        nonlocal length_s
        length_s = elapsed_s
        return done.is_set() or elapsed_s > LONGEST_S

    before = _cpu_s(subject)
    feeding = threading.Thread(target=_feed, args=(subject, others, done), name="feed")
    feeding.start()
    busy = run_schedule(searches, COLLECTION, over, 5)["serve"]
    feeding.join()
    spent = [after - earlier for after, earlier in zip(_cpu_s(subject), before, strict=True)]
    found = len(subject.client.documents(COLLECTION))
    taken_in = DOCUMENTS - PER_FORM
    rate = taken_in / length_s
    return [
        Figure("small_lost", f"of {DOCUMENTS} small documents, lost", DOCUMENTS - found, "", Budget(0)),
        Figure("small_per_s", "small documents taken in while searching", rate, "/s"),
        Figure("small_busy_p95_ms", "search p95 meanwhile", busy.p95_ms, "ms", Budget(500)),
        Figure("small_busy_over_idle", "search p95 meanwhile ÷ idle", busy.p95_ms / idle.p95_ms, "", Budget(MOST)),
        *(
            Figure(f"small_{name}_ms", f"CPU of {name} for each, with the searches", 1_000 * cpu_s / taken_in, "ms")
            for name, cpu_s in zip(PROGRAMS, spent, strict=True)
        ),
    ]


def _cpu_s(subject: Subject) -> list[float]:
    """What each of the programs has used so far, with the children that have ended."""
    pids = {name: subject.stack.wait_for_pid(name) for name in PROGRAMS}
    return [sum(psutil.Process(pids[name]).cpu_times()[:4]) for name in PROGRAMS]


def _feed(subject: Subject, forms: list[dict[str, bytes]], done: threading.Event) -> None:
    try:
        _take_in(subject, forms)
    finally:
        done.set()


def _take_in(subject: Subject, forms: list[dict[str, bytes]]) -> None:
    for form in forms:
        subject.client.upload(form, COLLECTION)
    subject.wait_until_idle()
