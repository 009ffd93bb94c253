"""A PDF of 400 pages: how long until it is found, and how long when it comes again unchanged."""

import time
from pathlib import Path

from bench.figures import Budget, Figure, middle
from bench.pdf import text_pdf
from bench.subject import Subject

SHARED = Path("data", "docs", "good", "unstructured__pdf2image-memory-error-test-400p.pdf")
PAGES = 400
TIMES_BUNDLED = 3  # each into a collection of its own, where nothing of it is known
AGAIN = 3
DEADLINE_S = 300.0
UNTIL_FOUND_S = 4.0
AGAIN_SHARE = 1 / 20


def measure(subject: Subject) -> list[Figure]:
    """From the first byte sent to a search that finds it."""
    content, origin = _document(subject)
    collections = [f"large-{number}" for number in range(TIMES_BUNDLED if subject.is_bundled else 1)]
    first_s = middle([_until_found(subject, content, collection) for collection in collections])
    again_s = middle([_until_found(subject, content, collections[0]) for _ in range(AGAIN)])
    budget = Budget(UNTIL_FOUND_S) if subject.is_bundled else None
    return [
        Figure("pdf400_found_s", f"400-page text PDF ({origin}) until found", first_s, "s", budget),
        Figure("pdf400_again_s", "the same again, unchanged", again_s, "s"),
        Figure("again_over_first", "unchanged ÷ first time", again_s / first_s, "", Budget(AGAIN_SHARE)),
    ]


def _until_found(subject: Subject, content: bytes, collection: str) -> float:
    begun_s = time.perf_counter()
    subject.client.take_in("large.pdf", content, collection, DEADLINE_S)
    if not subject.client.search("memory pdf edital archive", collection):
        raise AssertionError("nothing is found")
    return time.perf_counter() - begun_s


def _document(subject: Subject) -> tuple[bytes, str]:
    shared = None if subject.test_data is None else subject.test_data / SHARED
    if shared is not None and shared.exists():
        return shared.read_bytes(), "real"
    return text_pdf(12, PAGES), "made"
