"""`acervo ingest`."""

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connection import Connection, connected
from cli.display import displayed
from cli.failure import Failure
from cli.files import USAGE, Source, find_sources, single_source
from cli.ingesting import Display, Ingestion, Wishes
from cli.options import DEFAULT_SERVER, AsJson, OfCollection, Server
from cli.outcome import Outcome
from cli.output import clean, console, error_console

app = typer.Typer(add_completion=False)

STANDARD_INPUT = "-"


@app.command()
def ingest(  # noqa: PLR0913 - each option of the command is a parameter
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders; - is the standard input.")],
    *,
    collection: OfCollection = "",
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A word for filters; may be repeated.")] = None,
    metadata: Annotated[str, typer.Option(metavar="JSON", help="A JSON object kept with the documents.")] = "",
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="0 (last) to 9 (first); 5 unless given.")] = None,
    key: Annotated[str, typer.Option(help="The document's key, for a single file.")] = "",
    name: Annotated[str, typer.Option(help="The file name of what comes from the standard input.")] = "",
    request_id: Annotated[str, typer.Option(help="The same id answers with the same job, for a single file.")] = "",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the jobs to end.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Files under way at once.")] = 4,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Take files, folders or the standard input in, and wait until they can be found.

    The key of a document is its path within the given folder, or the file's name. The same key with the same bytes is
    left unchanged, with other bytes it becomes a new version.
    """
    wishes = Wishes(collection, tuple(tag or ()), _metadata(metadata), priority, request_id, wait=not no_wait)
    with _sources(paths, name, key) as sources, connected(server) as connection:
        if request_id and len(sources) > 1:
            raise typer.BadParameter("--request-id is for a single file")
        connection.reach()  # before many files wait for a server that was never there
        with displayed(len(sources), as_json=as_json) as display:
            outcomes = _take_in(connection, wishes, display, sources, jobs)
    if not as_json:
        _summarise(outcomes)
    if not all(outcome.is_good for outcome in outcomes):
        raise typer.Exit(1)


def _take_in(
    connection: Connection, wishes: Wishes, display: Display, sources: Sequence[Source], threads: int
) -> list[Outcome]:
    stop = threading.Event()
    ingestion = Ingestion(connection, wishes, display, stop)
    with ThreadPoolExecutor(threads, thread_name_prefix="ingest") as pool:
        futures = [pool.submit(ingestion.run, source) for source in sources]
        try:
            results = [future.result() for future in as_completed(futures)]
        except KeyboardInterrupt:
            stop.set()
            connection.close()  # ends the calls under way, and with them the threads
            pool.shutdown(cancel_futures=True)
            _say_what_goes_on(ingestion)
            raise
    return [result for result in results if result is not None]


def _say_what_goes_on(ingestion: Ingestion) -> None:
    output = error_console()
    going_on = dict(ingestion.going_on)
    output.print(
        f"Interrupted. {'These jobs go' if going_on else 'No job goes'} on on the server{':' if going_on else '.'}"
    )
    for job, source in going_on.items():
        output.print(f"  {job}  {clean(source.shown)}", markup=False, soft_wrap=True)


def _summarise(outcomes: Sequence[Outcome]) -> None:
    unchanged = sum(outcome.unchanged for outcome in outcomes)
    succeeded = sum(outcome.state == "SUCCEEDED" and not outcome.unchanged for outcome in outcomes)
    partial = [outcome for outcome in outcomes if outcome.state == "SUCCEEDED_PARTIALLY" and not outcome.unchanged]
    bad = [outcome for outcome in outcomes if not outcome.is_good]
    waiting = len(outcomes) - unchanged - succeeded - len(partial) - len(bad)
    counts = ((succeeded, "succeeded"), (unchanged, "unchanged"), (len(partial), "in part"), (waiting, "under way"))
    output = console()
    output.print(", ".join(f"{number} {what}" for number, what in (*counts, (len(bad), "failed")) if number))
    for outcome in (*partial, *bad):
        output.print(f"  {clean(outcome.sentence())}", markup=False, soft_wrap=True)


@contextmanager
def _sources(paths: Sequence[str], name: str, key: str) -> Iterator[list[Source]]:
    if STANDARD_INPUT not in paths:
        if name:
            raise typer.BadParameter("--name is for the standard input; --key names the document of a file")
        yield _with_key(find_sources([Path(path) for path in paths]), key)
    elif len(paths) > 1 or not name:
        raise typer.BadParameter("the standard input stands alone and needs a --name, such as --name notes.txt")
    else:
        # Kept on disk: the hash goes before the bytes, and a broken upload is sent again.
        with tempfile.NamedTemporaryFile(prefix="acervo-") as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            spooled.flush()
            yield _with_key([single_source(Path(spooled.name), name)], key)


def _with_key(sources: list[Source], key: str) -> list[Source]:
    if not key:
        return sources
    if len(sources) > 1:
        raise typer.BadParameter("--key is for a single file")
    (source,) = sources
    return [Source(source.path, source.shown, key, source.file_name)]


def _metadata(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise Failure(f"--metadata is not JSON: {error}", exit_status=USAGE) from None
    if not isinstance(value, dict):
        raise Failure('--metadata must be a JSON object such as {"year": 2024}', exit_status=USAGE)
    return value
