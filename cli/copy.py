"""`acervo copy`: starts the program of each service that copies its part of a store; no server is needed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli.failure import Failure
from cli.options import AsJson
from cli.output import error_console, print_fields, print_json
from cli.run_folder import RunFolder

app = typer.Typer(add_completion=False)

PROGRAMS = ("rag_server.copy", "gateway.copy")
DIFFERS = 1
MIB = 1 << 20


@app.command()
def copy(
    *,
    source: Annotated[str, typer.Option("--from", metavar="STORE", help="A folder, or a postgresql:// address.")],
    target: Annotated[str, typer.Option("--to", metavar="STORE", help="The same; empty, or an unfinished copy.")],
    source_blobs: Annotated[
        str, typer.Option("--from-blobs", metavar="PLACE", help="Of a postgresql:// source; else ACERVO_BLOBS.")
    ] = "",
    target_blobs: Annotated[
        str, typer.Option("--to-blobs", metavar="PLACE", help="Of a postgresql:// target; else ACERVO_BLOBS.")
    ] = "",
    afresh: Annotated[bool, typer.Option("--afresh", help="Drop an unfinished copy in the target first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy a whole store that nobody uses into another, and compare both. What broke off goes on where it was."""
    sides = {"from": _side(source, source_blobs), "to": _side(target, target_blobs)}
    with _kept_free(source), _kept_free(target), _bars(quiet=as_json) as show:
        told = [_run(program, {**sides, "afresh": afresh}, show) for program in PROGRAMS]
    if as_json:
        print_json({"ok": not any(each["faults"] for each in told), "services": told})
    else:
        print_fields(line for each in told for line in _lines(each))
    if any(each["faults"] for each in told):
        raise typer.Exit(DIFFERS)


def _side(store: str, blobs: str) -> dict[str, str]:
    if "://" not in store:
        return {"store": store, "blobs": blobs}
    return {"store": store, "blobs": blobs or os.environ.get("ACERVO_BLOBS", "")}


@contextmanager
def _kept_free(store: str) -> Iterator[None]:
    """No `acervo up` can begin on a folder meanwhile."""
    if "://" in store:
        yield
        return
    with RunFolder(Path(store).absolute()).locked():
        yield


def _lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    rows, files = sum(told["rows"].values()), told["files"]
    resumed = f", {rows - told['copied_rows']} of them before" if told["resumed"] else ""
    size_mib = files["size_bytes"] / MIB
    yield (
        told["service"],
        f"{rows} rows{resumed}; {files['copied']} files ({size_mib:.1f} MiB), {files['present']} there",
    )
    if files["missing"]:
        yield "", f"{len(files['missing'])} files are missing in the source: {', '.join(files['missing'][:3])}"
    for fault in told["faults"]:
        yield "FAULT", fault
    if told["faults"]:
        yield "", "The target is no store yet. Copy again, or start over with --afresh."
    else:
        checked = ", ".join(f"{name} {one['checked']}" for name, one in told["invariants"].items())
        yield "", f"the same on both sides, after {told['seconds']} s" + (f"; checked {checked}" if checked else "")


@contextmanager
def _bars(*, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Shows a program's progress on a terminal."""
    columns = (TextColumn("{task.description:16}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=error_console(), disable=quiet or not sys.stderr.isatty()
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(told: dict[str, Any]) -> None:
            if told["what"] not in tasks:
                tasks[told["what"]] = bars.add_task(told["what"], total=told["total"])
            bars.update(tasks[told["what"]], completed=told["done"], total=told["total"])

        yield show


def _run(program: str, asked: dict[str, Any], show: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """What the program told at its end. Raises Failure with its last words where it told nothing."""
    told: dict[str, Any] = {}
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    ) as running:  # fmt: skip
        assert running.stdin and running.stdout and running.stderr  # noqa: S101, PT018 - they are pipes
        running.stdin.write(json.dumps(asked) + "\n")  # not among the arguments, which everybody can read
        running.stdin.close()
        for line in running.stdout:
            told = json.loads(line)
            if "what" in told:
                show(told)
        words = running.stderr.read().strip().splitlines()
    if running.returncode not in (0, DIFFERS) or "service" not in told:
        last = words[-1].removeprefix("acervo copy: ") if words else f"it ended with {running.returncode}"
        raise Failure(last, exit_status=running.returncode if running.returncode > 0 else DIFFERS)
    return told
