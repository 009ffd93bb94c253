"""Progress has a rate once there is one, and an end in sight then."""

from rag_server.domain.job import JobStage
from rag_server.worker.progress import ProgressMeter


def test_a_stage_starts_without_a_rate() -> None:
    meter = ProgressMeter(0.0)
    meter.enter(JobStage.EXTRACTING, 1.0)
    assert (meter.snapshot().rate_per_s, meter.snapshot().eta_s) == (0.0, None)


def test_rate_and_time_left_follow_what_was_done() -> None:
    meter = ProgressMeter(0.0)
    meter.enter(JobStage.EMBEDDING, 10.0)
    meter.chunks(20, 100, 12.0)
    assert (meter.snapshot().rate_per_s, meter.snapshot().eta_s) == (10.0, 8.0)


def test_the_rate_forgets_what_was_long_ago() -> None:
    meter = ProgressMeter(0.0)
    meter.enter(JobStage.EMBEDDING, 0.0)
    meter.chunks(100, 1000, 10.0)
    meter.chunks(110, 1000, 20.0)
    assert meter.snapshot().rate_per_s == 1.0


def test_an_unknown_total_gives_no_time_left() -> None:
    meter = ProgressMeter(0.0)
    meter.enter(JobStage.EXTRACTING, 0.0)
    meter.pages(5, 0, 1.0)
    assert meter.snapshot().eta_s is None


def test_progress_is_proven_by_change_only() -> None:
    meter = ProgressMeter(0.0)
    meter.pages(1, 2, 30.0)
    assert meter.idle_s(40.0) == 10.0
