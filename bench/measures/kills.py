"""`kill -9` of each program in the middle of an ingest: what is lost, what is there twice, when all is well again."""

import contextlib
import time
import uuid

import httpx

from bench.client import FOUND
from bench.figures import Budget, Figure
from bench.pdf import text_pdf
from bench.stack import PROGRAMS
from bench.subject import Subject
from bench.waiting import until

COLLECTION = "kills"
PAGES = 400
READY_S = 5.0
DEADLINE_S = 60.0


def measure(subject: Subject) -> list[Figure]:
    """Each once; `make torture` does it again and again."""
    lost = twice = 0
    slowest_s, slowest = 0.0, ""
    for number, program in enumerate(PROGRAMS):
        word = f"palavra{uuid.uuid4().hex[:12]}"
        name = f"{program}.pdf"
        (job_id,) = subject.client.upload({name: text_pdf(30 + number, PAGES, word)}, COLLECTION)
        _wait_until_read(subject, job_id)
        ready_s = _kill(subject, program)
        if ready_s > slowest_s:
            slowest_s, slowest = ready_s, program
        found = subject.client.wait(job_id, DEADLINE_S)["state"] in FOUND
        places = len(subject.client.passages_with(word, COLLECTION))
        lost += not (found and places)
        twice += places > 1
    broken = sum(not entry["ok"] for entry in subject.stack.verify()["invariants"].values())
    return [
        Figure("kills_lost", "kill -9 of each program: documents lost", lost, "", Budget(0)),
        Figure("kills_twice", "kill -9 of each program: documents there twice", twice, "", Budget(0)),
        Figure("kills_broken", "kill -9 of each program: broken invariants", broken, "", Budget(0)),
        Figure("kills_ready_s", f"kill -9: ready again (slowest: {slowest})", slowest_s, "s", Budget(READY_S)),
    ]


def _wait_until_read(subject: Subject, job_id: str) -> None:
    """Until some pages are read."""
    until(lambda: subject.client.job(job_id)["progress"]["pages_done"] > 0, DEADLINE_S, "pages", 0.02)


def _kill(subject: Subject, program: str) -> float:
    """Seconds until its successor is ready and a search is answered at the edge."""
    former = subject.stack.kill(program)
    begun_s = time.perf_counter()
    subject.stack.wait_until_back(program, former)
    until(lambda: _answers(subject), DEADLINE_S, "searches are answered")
    return time.perf_counter() - begun_s


def _answers(subject: Subject) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        subject.client.search("edital archive", COLLECTION)
        return True
    return False
