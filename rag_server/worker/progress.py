"""How far the job in the slot is: written by the stages, read by the heartbeat."""

from dataclasses import dataclass, replace

from rag_server.domain.job import JobStage, Progress

RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a stage was at a time."""

    time_s: float
    done: int


class ProgressMeter:
    """Holds the present progress. One writer (the job's task), any readers."""

    def __init__(self, now_s: float) -> None:
        """All times are monotonic seconds, given by the caller."""
        self._progress = Progress()
        self._mark = _Mark(now_s, 0)
        self._changed_s = now_s

    def enter(self, stage: JobStage, now_s: float) -> None:
        """A new stage begins; its rate is counted from here."""
        self._progress = replace(self._progress, stage=stage, rate_per_s=0.0, eta_s=None)
        self._mark = _Mark(now_s, 0)
        self._changed_s = now_s

    def pages(self, done: int, total: int, now_s: float) -> None:
        """Pages were read."""
        self._advance(replace(self._progress, pages_done=done, pages_total=total), done, total, now_s)

    def chunks(self, done: int, total: int, now_s: float) -> None:
        """Chunks were embedded."""
        self._advance(replace(self._progress, chunks_done=done, chunks_total=total), done, total, now_s)

    def documents(self, done: int, total: int, now_s: float) -> None:
        """Documents were settled."""
        self._progress = replace(self._progress, documents_done=done, documents_total=total)
        self._changed_s = now_s

    def snapshot(self) -> Progress:
        """The present progress."""
        return self._progress

    def idle_s(self, now_s: float) -> float:
        """How long ago the last progress was."""
        return now_s - self._changed_s

    def _advance(self, progress: Progress, done: int, total: int, now_s: float) -> None:
        elapsed_s = now_s - self._mark.time_s
        rate = (done - self._mark.done) / elapsed_s if elapsed_s > 0 else 0.0
        eta_s = (total - done) / rate if rate > 0 and total > 0 else None
        self._progress = replace(progress, rate_per_s=rate, eta_s=eta_s)
        self._changed_s = now_s
        if elapsed_s > RATE_WINDOW_S:
            self._mark = _Mark(now_s, done)
