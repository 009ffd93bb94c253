"""What is measured: a running stack with one model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import Client
from bench.figures import Figure
from bench.stack import Stack
from bench.waiting import until

BUNDLED = "bundled"
IDLE_S = 240.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A stack of the benchmark's own. Measures come one after the other and leave it idle."""

    stack: Stack
    client: Client
    model: str  # a value of ACERVO_MODEL
    test_data: Path | None  # the folder of ACERVO_TEST_DATA

    @property
    def is_bundled(self) -> bool:
        """Whether the model is the small one that ships with the project, and fast."""
        return self.model == BUNDLED

    def wait_until_idle(self) -> None:
        """Return when no job waits or runs."""
        until(lambda: not self._open_jobs(), IDLE_S, "no job waits or runs", 0.2)

    @contextmanager
    def busy(self, files: dict[str, bytes], collection: str) -> Iterator[None]:
        """The worker is busy with the files as long as the block runs. Raises RuntimeError where they were too few."""
        jobs = [job_id for name, content in files.items() for job_id in self.client.upload({name: content}, collection)]
        yield
        was_busy = bool(self._open_jobs())
        for job_id in jobs:
            self.client.http.post(f"/api/v1/rag/jobs/{job_id}:cancel", json={})  # one that has ended refuses
        self.wait_until_idle()
        if not was_busy:
            raise RuntimeError("ingestion ended before the measurement: it needs larger documents")

    def _open_jobs(self) -> list[object]:
        states = ["JOB_STATE_QUEUED", "JOB_STATE_RUNNING"]
        answer = self.client.http.get("/api/v1/rag/jobs", params={"states": states, "page_size": "10"})
        answer.raise_for_status()
        jobs: list[object] = answer.json().get("jobs", [])
        return jobs


Measure = Callable[[Subject], list[Figure]]
