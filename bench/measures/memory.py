"""The most memory that any process holds while a PDF of 1,600 pages comes in and searches are answered."""

import time

from bench.figures import Budget, Figure
from bench.memory import PeakMemory
from bench.pdf import text_pdf
from bench.subject import Subject

COLLECTION = "memory"
PAGES = 1_600
MOST_MIB = 1024.0
MIB = 1 << 20


def measure(subject: Subject) -> list[Figure]:
    """Resident memory, sampled twenty times a second."""
    content = text_pdf(16, PAGES)
    begun_s = time.perf_counter()
    with PeakMemory(subject.stack.processes) as peak:
        (job_id,) = subject.client.upload({"memory.pdf": content}, COLLECTION)
        while subject.client.job(job_id, wait="1s")["state"] in ("JOB_STATE_QUEUED", "JOB_STATE_RUNNING"):
            subject.client.search("edital archive", COLLECTION)
    seconds = time.perf_counter() - begun_s
    pages = subject.client.job(job_id)["progress"]["pages_done"]
    if pages != PAGES:
        raise AssertionError(f"{pages} of {PAGES} pages")
    figures = [
        Figure(f"peak_{program}_mib", f"most memory of {program}, {PAGES:,}-page PDF", most / MIB, "MiB", _budget())
        for program, most in sorted(peak.peaks().items())
    ]
    return [Figure("pdf1600_found_s", f"{PAGES:,}-page PDF until found, with searches", seconds, "s"), *figures]


def _budget() -> Budget:
    return Budget(MOST_MIB)
