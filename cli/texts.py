"""`acervo texts`: texts that are no files, a JSON object a line."""

import json
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import ParseDict, ParseError

from acervo.gateway.v1.text_service_pb2 import Text, UpsertTextsRequest
from acervo.rag.v1.job_pb2 import Job
from cli import outcome
from cli.connection import Connection, connected
from cli.counts import COUNTED, counts_text
from cli.failure import Failure
from cli.following import GOOD_STATES, follow
from cli.options import DEFAULT_SERVER, AsJson, OfCollection, Server
from cli.output import console, print_json
from cli.plain import plain
from cli.retrying import Patience, persist

TEXTS_AT_ONCE = 1_000
BYTES_AT_ONCE = 12 << 20
STANDARD_INPUT = "-"

app = typer.Typer(add_completion=False)


@app.command()
def texts(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="JSON lines with key, text and more; `-` for the standard input.")
    ],
    *,
    collection: OfCollection = "",
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Take texts in, each a document of its own, and wait until they can be found.

    A line has `key` and `text`, and may have `title`, `media_type` (text/plain, text/markdown), `metadata` and `tags`.
    """
    total: Counter[str] = Counter()
    failed: list[str] = []
    with connected(server) as connection:
        connection.reach()
        for batch in _batches(_read(file)):
            job = _taken_in(connection, UpsertTextsRequest(collection=collection, texts=batch))
            total.update({name: getattr(job.documents, name) for name in COUNTED})
            if job.state not in GOOD_STATES or job.warnings:
                failed.append(outcome.of_job(job.name, job, 0).sentence())
            if as_json:
                print_json(plain(job))
    if not as_json:
        console().print(counts_text(total) or "nothing to do", markup=False, soft_wrap=True)
    if failed:
        raise Failure("; ".join(failed))


def _taken_in(connection: Connection, request: UpsertTextsRequest) -> Job:
    """The job of one call, at its end. Raises Failure."""
    request.request_id = str(uuid.uuid4())  # makes trying again safe
    patience = Patience(threading.Event())
    job = persist(lambda: connection.call(connection.texts.UpsertTexts, request).job, patience)
    last = job
    for last in follow(connection, job.name, Patience(threading.Event())):  # noqa: B007 - the last is wanted
        pass
    return last


def _read(file: str) -> Iterator[tuple[Text, int]]:
    """The texts, each with the bytes of its line. Raises Failure."""
    try:
        if file == STANDARD_INPUT:
            yield from _parsed(sys.stdin.buffer)
        else:
            with Path(file).open("rb") as lines:
                yield from _parsed(lines)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from error


def _parsed(lines: Iterable[bytes]) -> Iterator[tuple[Text, int]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield ParseDict(json.loads(line), Text()), len(line)
            except (ValueError, ParseError) as error:
                told = f"line {number} is not a text: a JSON object with key, text, title, media_type, metadata, tags"
                raise Failure(told) from error


def _batches(read: Iterable[tuple[Text, int]]) -> Iterator[list[Text]]:
    """As many as a call takes; a key that stands again waits for the next call."""
    batch: dict[str, Text] = {}
    size_bytes = 0
    for text, line_bytes in read:
        full = len(batch) == TEXTS_AT_ONCE or size_bytes + line_bytes > BYTES_AT_ONCE
        if batch and (full or text.key in batch):
            yield list(batch.values())
            batch, size_bytes = {}, 0
        batch[text.key] = text
        size_bytes += line_bytes
    if batch:
        yield list(batch.values())
