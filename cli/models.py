"""`acervo models`: starts rag_server's program for models, which alone may download."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.failure import Failure
from cli.options import AsJson
from cli.output import print_json

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List and pull embedding models.")

COMMAND = (sys.executable, "-m", "rag_server.pull")
SAID_WHY = 1  # it has written one sentence
INTERRUPTED = 130
INTERRUPTIONS = (INTERRUPTED, -signal.SIGINT)


@app.command("list")
def list_models(*, as_json: AsJson = False) -> None:
    """List the bundled, the pulled and the known models."""
    _run(["--list", *(["--json"] if as_json else [])])


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="The model, as `acervo models list` shows it.")],
    *,
    into: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where models are kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Download a model into the folder of models. ACERVO_MODEL then chooses it."""
    _run([name, *(["--into", str(into.absolute())] if into else [])], quiet=as_json)
    if as_json:
        print_json({"model": name})


def _run(arguments: list[str], *, quiet: bool = False) -> None:
    """Run the program in this terminal; with `quiet` what it prints goes to the standard error."""
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, stdout=sys.stderr if quiet else None) as program:  # noqa: S603 - our own program
        try:
            status = program.wait()
        except KeyboardInterrupt:
            program.wait()  # the terminal has told it too
            raise
    if status in INTERRUPTIONS:
        raise typer.Exit(INTERRUPTED)
    if status == SAID_WHY:
        raise typer.Exit(1)
    if status:
        raise Failure(f"the program for models ended with status {status}")
