"""`acervo queue`."""

import typer

from acervo.rag.v1.queue_service_pb2 import GetQueueRequest, PauseQueueRequest, Queue, ResumeQueueRequest
from cli.connection import connected
from cli.options import DEFAULT_SERVER, AsJson, Server
from cli.output import local_time, print_fields, print_json
from cli.plain import plain

app = typer.Typer(add_completion=False, help="Show how the job queue is, pause it and let it go on.")


@app.callback(invoke_without_command=True)
def queue(context: typer.Context, *, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show how the queue is, pause it for all workers of all machines, and let it go on."""
    if context.invoked_subcommand is None:
        with connected(server) as connection:
            _show(connection.call(connection.queue.GetQueue, GetQueueRequest()).queue, as_json=as_json)


@app.command()
def pause(*, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Let no worker begin another job; those that run go on to their end, and uploads are taken in."""
    with connected(server) as connection:
        _show(connection.call(connection.queue.PauseQueue, PauseQueueRequest()).queue, as_json=as_json)


@app.command()
def resume(*, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Let the workers begin jobs again."""
    with connected(server) as connection:
        _show(connection.call(connection.queue.ResumeQueue, ResumeQueueRequest()).queue, as_json=as_json)


def _show(found: Queue, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(found))
        return
    paused = f"paused since {local_time(found.pause_time)}" if found.paused else "open"
    oldest = f"{found.oldest_age.ToTimedelta().total_seconds():.0f} s" if found.HasField("oldest_age") else ""
    print_fields(
        [("queue", paused), ("queued", str(found.queued)), ("running", str(found.running)), ("oldest", oldest)]
    )
