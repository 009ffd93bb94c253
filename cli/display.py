"""The three ways in which `acervo ingest` shows what it does: bars, lines, and JSON lines."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from acervo.rag.v1.job_pb2 import Job
from cli.files import Source
from cli.ingesting import Display
from cli.outcome import Outcome
from cli.output import clean, console, print_json, size_text
from cli.stages import bar_of, stage_text

NAME_WIDTH = 36


class JsonLines:
    """A line of JSON per file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def sending(self, source: Source, sent_bytes: int, size_bytes: int) -> None:
        """Nothing: only ends are told."""

    def seen(self, source: Source, job: Job) -> None:
        """Nothing: only ends are told."""

    def ended(self, source: Source, result: Outcome) -> None:  # noqa: ARG002 - the port's signature
        """The file's line."""
        with self._lock:
            print_json(result.as_json())


class PlainLines(JsonLines):
    """A line of text per file, for logs and pipes."""

    def __init__(self, output: Console) -> None:
        super().__init__()
        self._output = output

    def ended(self, source: Source, result: Outcome) -> None:  # noqa: ARG002 - the port's signature
        """The file's line."""
        with self._lock:
            self._output.print(clean(result.sentence()), markup=False, soft_wrap=True)


class Bars:
    """A bar for all files and one for each that is on its way."""

    def __init__(self, progress: Progress, files: int) -> None:
        self._progress = progress
        self._bars: dict[Source, TaskID] = {}
        self._files = files
        self._ended = itertools.count(1)
        self._all = progress.add_task("all files", total=files, note=f"0 of {files}")

    def sending(self, source: Source, sent_bytes: int, size_bytes: int) -> None:
        """The bar shows bytes."""
        note = f"sending {size_text(sent_bytes)} of {size_text(size_bytes)}"
        self._progress.update(self._bar(source), completed=sent_bytes, total=size_bytes, note=note)

    def seen(self, source: Source, job: Job) -> None:
        """The bar shows pages or chunks, whichever the job is busy with."""
        done, total = bar_of(job.progress)
        self._progress.update(self._bar(source), completed=done, total=total, note=stage_text(job))

    def ended(self, source: Source, result: Outcome) -> None:
        """The bar makes room, and a line above says how it ended."""
        bar = self._bars.pop(source, None)
        if bar is not None:
            self._progress.remove_task(bar)
        style = "green" if result.is_good else "red"
        self._progress.console.print(clean(result.sentence()), style=style, markup=False, soft_wrap=True)
        ended = next(self._ended)
        self._progress.update(self._all, completed=ended, note=f"{ended} of {self._files}")

    def _bar(self, source: Source) -> TaskID:
        if source not in self._bars:
            name = clean(source.shown)
            short = name if len(name) <= NAME_WIDTH else f"…{name[1 - NAME_WIDTH :]}"
            self._bars[source] = self._progress.add_task(escape(short), total=None, note="")
        return self._bars[source]


@contextmanager
def displayed(files: int, *, as_json: bool) -> Iterator[Display]:
    """The display that fits: JSON where asked for, bars on a terminal, lines elsewhere."""
    output = console()
    if as_json:
        yield JsonLines()
    elif not output.is_terminal:
        yield PlainLines(output)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[note]}"))
        with Progress(*columns, TimeElapsedColumn(), console=output, transient=True) as progress:
            yield Bars(progress, files)
