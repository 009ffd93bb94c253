"""How far a job is, in words."""

from acervo.rag.v1.job_pb2 import JOB_STAGE_EXTRACTING, JOB_STATE_QUEUED, JOB_STATE_RUNNING, Job, JobProgress
from cli.output import counted
from cli.plain import word

MINUTE_S = 60


def bar_of(progress: JobProgress) -> tuple[int, int | None]:
    """Done and total of the present stage; no total while it is not known."""
    if progress.stage == JOB_STAGE_EXTRACTING or not progress.chunks_total:
        return progress.pages_done, progress.pages_total or None
    return progress.chunks_done, progress.chunks_total


def stage_text(job: Job) -> str:
    """`embedding, 12/12 pages, 40/96 chunks, 35/s, 0:02 left`; the place in the queue; or the state."""
    progress = job.progress
    if job.state == JOB_STATE_QUEUED:
        return _queued_text(progress)
    if job.state != JOB_STATE_RUNNING:
        return word(job, "state").lower()
    parts = [word(progress, "stage").lower()] if progress.stage else ["running"]
    if progress.pages_done or progress.pages_total:
        parts.append(_ratio(progress.pages_done, progress.pages_total, "page"))
    if progress.chunks_total:
        parts.append(_ratio(progress.chunks_done, progress.chunks_total, "chunk"))
    if progress.documents_total:
        parts.append(_ratio(progress.documents_done, progress.documents_total, "document"))
    if progress.rate_per_second:
        parts.append(f"{progress.rate_per_second:.0f}/s" if progress.rate_per_second >= 1 else "under 1/s")
    if progress.HasField("eta"):
        minutes, seconds = divmod(round(progress.eta.ToTimedelta().total_seconds()), MINUTE_S)
        parts.append(f"{minutes}:{seconds:02} left")
    return ", ".join(parts)


def _queued_text(progress: JobProgress) -> str:
    if not progress.HasField("queue_position"):
        return "queued"
    if progress.queue_position == 0:
        return "queued, next"
    return f"queued, {counted(progress.queue_position, 'job')} ahead"


def _ratio(done: int, total: int, unit: str) -> str:
    return f"{done}/{total} {unit}s" if total else counted(done, unit)
