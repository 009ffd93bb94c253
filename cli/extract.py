"""`acervo extract`: starts rag_server's program that looks at one file; no server is needed."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.failure import Failure
from cli.options import AsJson
from cli.output import clean, console, counted, error_console, print_fields

app = typer.Typer(add_completion=False)

COMMAND = (sys.executable, "-m", "rag_server.preview")
NOTHING_EXTRACTED = 1
FEW = 5  # pages and chunks, unless all are wanted
SHORT_CHARS = 300


@app.command()
def extract(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to look at.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Every page and chunk, in full.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the machine sees of a file: pages, headings, chunks. The exit status is 0 only if it sees something."""
    if not (file.is_file() and os.access(file, os.R_OK)):
        raise Failure(f"{file} is not a file that can be read.")
    line = _look(file)
    if as_json:
        sys.stdout.write(line)
    seen = json.loads(line)
    if not as_json:
        _print(seen, full=full)
    if seen["outcome"] == "FAILED":
        raise typer.Exit(NOTHING_EXTRACTED)


def _look(file: Path) -> str:
    """The program's line of JSON. Raises Failure with its last words where it gives none."""
    command = [*COMMAND, str(file.absolute())]
    with error_console().status(f"Reading {clean(file.name)} …"):
        done = subprocess.run(command, check=False, capture_output=True, text=True, encoding="utf-8")  # noqa: S603 - our own program
    if done.returncode not in (0, NOTHING_EXTRACTED) or not done.stdout:
        words = done.stderr.strip().splitlines()
        raise Failure(words[-1].removeprefix("acervo preview: ") if words else f"it ended with {done.returncode}")
    return done.stdout


def _print(seen: dict[str, Any], *, full: bool) -> None:
    pages, chunks = seen["pages"], seen["chunks"]
    times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in seen["times"].items())
    print_fields(
        [
            ("outcome", seen["outcome"]),
            ("reason", seen["reason"]),
            ("message", seen["message"]),
            ("kind", seen["media_type"]),
            *((name, str(value)) for name, value in seen["metadata"].items()),
            ("pages", f"{len(pages)} of {max(seen['pages_total'], len(pages))}" if pages else ""),
            ("headings", str(len(seen["headings"])) if pages else ""),
            ("chunks", str(len(chunks)) if pages else ""),
            ("time", f"{seen['seconds']:.2f} s ({times})"),
        ]
    )
    _print_headings(seen["headings"], full=full)
    _print_texts("page", [(f"page {page['number']}", page["text"]) for page in pages], full=full)
    _print_texts("chunk", [(_place(number, chunk), chunk["text"]) for number, chunk in enumerate(chunks)], full=full)


def _print_headings(headings: Sequence[dict[str, Any]], *, full: bool) -> None:
    shown = headings if full else headings[: 4 * FEW]
    for heading in shown:
        indent = "  " * int(heading["level"])
        _say(f"{indent}{clean(heading['text'])}  (page {heading['page']})")
    _say_rest(len(headings) - len(shown), "heading")


def _print_texts(unit: str, texts: Sequence[tuple[str, str]], *, full: bool) -> None:
    shown = texts if full else texts[:FEW]
    for title, text in shown:
        console().print(Text(f"\n{title}", style="bold"))
        _say("\n".join(map(clean, text.split("\n"))) if full else _short(text))
    _say_rest(len(texts) - len(shown), unit)


def _place(number: int, chunk: dict[str, Any]) -> str:
    first, last = chunk["page_first"], chunk["page_last"]
    pages = f"page {first}" if first == last else f"pages {first} to {last}"
    path = " › ".join(map(clean, chunk["headings"]))
    return f"chunk {number + 1}, {pages}, characters {chunk['char_start']} to {chunk['char_end']}  {path}".rstrip()


def _short(text: str) -> str:
    line = " ".join(clean(text).split())
    return line if len(line) <= SHORT_CHARS else f"{line[:SHORT_CHARS]}…"


def _say(text: str) -> None:
    console().print(Text(text), soft_wrap=True)


def _say_rest(number: int, unit: str) -> None:
    if number > 0:
        _say(f"\n… and {counted(number, f'more {unit}')}: --full shows all.")
