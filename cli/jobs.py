"""`acervo jobs`."""

import threading
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from acervo.rag.v1.job_pb2 import Job, JobState
from acervo.rag.v1.job_service_pb2 import CancelJobRequest, GetJobRequest, ListJobsRequest, RetryJobRequest
from acervo.rag.v1.system_service_pb2 import GetCountsRequest
from cli import outcome
from cli.connection import Connection, connected
from cli.counts import of_message
from cli.failure import Failure
from cli.following import GOOD_STATES, follow
from cli.names import job_name, short_id
from cli.options import DEFAULT_SERVER, AsJson, Limit, OfCollection, Server
from cli.output import clean, console, local_time, print_fields, print_json, print_table, size_text
from cli.pages import read_pages
from cli.plain import plain, word
from cli.retrying import Patience
from cli.stages import stage_text

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, count, show, watch, cancel and retry jobs.")

JobId = Annotated[str, typer.Argument(metavar="JOB", callback=job_name, help="The job: jobs/{id} or the bare id.")]


class State(StrEnum):
    """The states of a job, as people type them."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SUCCEEDED_PARTIALLY = "succeeded_partially"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


@app.command("list")
def list_jobs(
    *,
    collection: OfCollection = "",
    state: Annotated[
        list[State] | None, typer.Option("--state", case_sensitive=False, help="Only these; may be repeated.")
    ] = None,
    limit: Limit = 50,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List jobs, the latest accepted first."""
    states = [JobState.Value(f"JOB_STATE_{one.name}") for one in state or ()]
    with connected(server) as connection:

        def fetch(size: int, token: str) -> tuple[list[Job], str]:
            request = ListJobsRequest(page_size=size, page_token=token, collection=collection, states=states)
            answer = connection.call(connection.jobs.ListJobs, request)
            return list(answer.jobs), answer.next_page_token

        jobs = list(read_pages(fetch, limit))
    if as_json:
        print_json({"jobs": [plain(job) for job in jobs]})
        return
    rows = [(short_id(job.name), _state_text(job), _about(job), local_time(job.create_time)) for job in jobs]
    print_table(("job", "state", "about", "accepted"), rows, empty="There are no such jobs.")


@app.command()
def count(*, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Count the jobs by state and, where they went wrong, by reason."""
    with connected(server) as connection:
        counts = connection.call(connection.system.GetCounts, GetCountsRequest()).counts
    if as_json:
        print_json({"counts": [plain(one) for one in counts]})
        return
    rows = [(word(one, "state"), one.reason, str(one.count)) for one in counts]
    print_table(("state", "reason", "jobs"), rows, empty="There are no jobs.")


@app.command()
def show(job: JobId, *, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show a job."""
    with connected(server) as connection:
        _print_job(connection.call(connection.jobs.GetJob, GetJobRequest(name=job)).job, as_json=as_json)


@app.command()
def watch(job: JobId, *, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Follow a job to its end. The exit status is 0 only if it succeeded."""
    with connected(server) as connection:
        last = _watch_json(connection, job) if as_json else _watch_text(connection, job)
    if last.state not in GOOD_STATES:
        raise Failure(outcome.of_job(last.file_name or last.name, last, 0).sentence())


@app.command()
def cancel(job: JobId, *, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Cancel a job; a running one stops as soon as its worker hears of it."""
    with connected(server) as connection:
        _print_job(connection.call(connection.jobs.CancelJob, CancelJobRequest(name=job)).job, as_json=as_json)


@app.command()
def retry(job: JobId, *, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Queue a failed, cancelled or dead job again."""
    with connected(server) as connection:
        _print_job(connection.call(connection.jobs.RetryJob, RetryJobRequest(name=job)).job, as_json=as_json)


def _watch_json(connection: Connection, name: str) -> Job:
    last = Job()
    for last in follow(connection, name, Patience(threading.Event())):
        print_json(plain(last))
    return last


def _watch_text(connection: Connection, name: str) -> Job:
    last = Job()
    output = console()
    if output.is_terminal:
        with output.status("") as status:
            for last in follow(connection, name, Patience(threading.Event())):
                status.update(Text(clean(f"{last.file_name}: {stage_text(last)}")))
    else:
        told = ""
        for last in follow(connection, name, Patience(threading.Event())):
            if (text := stage_text(last)) != told:  # a heartbeat says nothing new
                output.print(text, markup=False, soft_wrap=True)
                told = text
    if last.state in GOOD_STATES:
        _print_job(last, as_json=False)
    return last


def _print_job(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(job))
        return
    result = outcome.of_job(job.file_name, job, 0)
    progress = job.progress
    print_fields(
        [
            ("job", job.name),
            ("state", _state_text(job)),
            ("kind", word(job, "kind").lower() if job.HasField("documents") else ""),
            ("file", f"{job.file_name} ({size_text(job.size_bytes)})" if job.file_name else ""),
            ("key", job.document_key),
            ("collection", job.collection),
            ("document", job.document),
            ("outcome", word(job, "outcome").lower() if job.outcome else ""),
            ("pages", f"{progress.pages_done} of {progress.pages_total}" if progress.pages_total else ""),
            ("chunks", f"{progress.chunks_done} of {progress.chunks_total}" if progress.chunks_total else ""),
            ("documents", of_message(job.documents)),
            ("attempt", str(job.attempt) if job.attempt else ""),
            ("reason", result.reason),
            ("message", result.message),
            ("accepted", local_time(job.create_time)),
            ("begun", local_time(job.start_time)),
            ("ended", local_time(job.end_time)),
            ("next attempt", local_time(job.next_attempt_time)),
            ("sequence", str(job.sequence) if job.sequence else ""),
        ]
    )


def _about(job: Job) -> str:
    return job.file_name or f"{word(job, 'kind').lower()} in {short_id(job.collection)}"


def _state_text(job: Job) -> str:
    state = word(job, "state")
    text = stage_text(job)
    return state if text == state.lower() else f"{state} ({text})"
