"""Following a job to its end, through broken connections and restarted servers."""

from collections.abc import Iterator

from acervo.rag.v1.job_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_DEAD,
    JOB_STATE_FAILED,
    JOB_STATE_SUCCEEDED,
    JOB_STATE_SUCCEEDED_PARTIALLY,
    Job,
)
from acervo.rag.v1.job_service_pb2 import JobStatusRequest
from cli.connection import Connection
from cli.failure import Failure
from cli.retrying import Patience

GOOD_STATES = frozenset({JOB_STATE_SUCCEEDED, JOB_STATE_SUCCEEDED_PARTIALLY})
TERMINAL_STATES = GOOD_STATES | {JOB_STATE_FAILED, JOB_STATE_CANCELLED, JOB_STATE_DEAD}
# Snapshots come at least every 10 s, so a stream that is begun anew this often misses nothing, and a connection that
# died without a word is noticed.
STREAM_S = 60.0


def has_ended(job: Job) -> bool:
    """Whether the job's state is terminal."""
    return job.state in TERMINAL_STATES


def follow(connection: Connection, name: str, patience: Patience) -> Iterator[Job]:
    """The job's snapshots as they come; the last one is terminal. Raises Failure and Stopped."""
    request = JobStatusRequest(name=name)
    while True:
        try:
            for response in connection.stream(connection.jobs.JobStatus, request, STREAM_S):
                patience.renew()
                yield response.job
                if has_ended(response.job):
                    return
                request.after_revision = response.job.revision
            broken = Failure("the server ended the stream before the job had ended", "STREAM_ENDED", passing=True)
        except Failure as failure:
            broken = failure
        patience.bear(broken)
