"""What became of a file: the answer of `acervo ingest`."""

from dataclasses import asdict, dataclass
from typing import Any

from acervo.rag.v1.job_pb2 import Job
from cli.failure import Failure
from cli.output import counted
from cli.plain import word
from cli.refusal import reason_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of `ingest --json`. Reason and message are empty where nothing is wrong."""

    file: str
    job: str = ""  # empty where the file was not accepted
    document: str = ""
    state: str = "FAILED"
    unchanged: bool = False
    reason: str = ""
    message: str = ""
    pages: int = 0
    chunks: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether the file can be found, or was accepted by a command that does not wait."""
        return self.state in ("SUCCEEDED", "SUCCEEDED_PARTIALLY") or (not self.reason and self.state != "CANCELLED")

    def as_json(self) -> dict[str, Any]:
        """The line as data."""
        return asdict(self)

    def sentence(self) -> str:
        """The line for people."""
        if self.unchanged:
            return f"{self.file}: unchanged"
        if self.state == "SUCCEEDED":
            size = f"{counted(self.pages, 'page')}, {counted(self.chunks, 'chunk')}"
            return f"{self.file}: {self.state}, {size}, {self.seconds:.1f} s"
        why = ": ".join(part for part in (self.reason, self.message) if part)
        return f"{self.file}: {self.state}" + (f" ({why})" if why else "")


def of_job(file: str, job: Job, seconds: float) -> Outcome:
    """What a snapshot says about its file."""
    reason, message = _reason(job)
    return Outcome(
        file=file,
        job=job.name,
        document=job.document,
        state=word(job, "state"),
        reason=reason,
        message=message,
        pages=job.progress.pages_done,
        chunks=job.progress.chunks_total,
        seconds=round(seconds, 3),
    )


def of_failure(file: str, failure: Failure, seconds: float) -> Outcome:
    """A file that was not accepted."""
    return Outcome(file=file, reason=failure.reason, message=failure.message, seconds=round(seconds, 3))


def _reason(job: Job) -> tuple[str, str]:
    if job.HasField("error"):
        return reason_of(job.error), job.error.message
    if job.warnings:
        return job.warnings[0].reason, " ".join(warning.message for warning in job.warnings)
    if word(job, "state") == "CANCELLED":
        return "CANCELLED", "The job was cancelled."
    return "", ""
